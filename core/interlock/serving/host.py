"""Inside the server process: what the ledger lets it serve, opened, and kept up to date."""

from __future__ import annotations

import contextlib
import gc
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from interlock.codec import decode_one
from interlock.errors import InterlockError, LedgerError, UsageError
from interlock.lifecycle.releases import find_last_good, record_refusal, served_model, unfit
from interlock.plugins.load import load
from interlock.processes import this_process
from interlock.serving import process
from interlock.serving.capture import CaptureWriter
from interlock_hookspecs import Deployment, Endpoint, Facts, OpenTarget, Release, Target

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.serving.standby import Order
    from interlock.session import Session

_POLL_SECONDS = 0.1
_STANDBY_SECONDS = 30.0


def captures_folder(session: Session, endpoint: Endpoint) -> Path:
    """Where the answers of an endpoint are kept."""
    return session.home / "captures" / endpoint.stack / endpoint.name


def serve(
    session: Session, deployment_id: str, *, listening: Callable[[str], None] | None = None
) -> None:
    """Serve a deployment from this process until it is told to stop.

    Args:
        session: the opened stack.
        deployment_id: as the ledger has it.
        listening: told the address once the server listens.

    Raises:
        UsageError: the ledger has no such deployment.
        GateRefused, HookFailed: it cannot be served.
    """
    row = session.reads.deployment(deployment_id)
    if row is None:
        msg = f"the ledger has no deployment {deployment_id}"
        raise UsageError(msg)
    deployment = decode_one(Deployment, row["body"])
    endpoint, maker = deployment.endpoint, deployment.maker
    if maker is None:
        msg = f"{deployment_id} names no plugin that serves it"
        raise UsageError(msg)
    # Who serves, and no other plugin of the stack: they are loaded to hear of what is recorded.
    funnel = load(session.stack, only=(maker.plugin,), learn=session.redact.add)
    session.tells_always = session.asks_late = True
    captures = CaptureWriter(captures_folder(session, endpoint))
    with session.workspace(deployment_id, funnel=funnel) as workspace:
        feed = LedgerFeed(session, deployment, workspace, listening)
        feed.refresh()
        if feed.replaces and feed.problem:
            msg = f"it does not take the place of {feed.replaces}: {feed.problem}"
            raise InterlockError(msg)
        poll = threading.Thread(target=feed.follow, name="ledger", daemon=True)
        poll.start()
        # What was opened until here is not looked through for garbage while requests wait.
        gc.freeze()
        gc.enable()
        try:
            funnel.owner(
                "serve_endpoint",
                maker,
                endpoint=endpoint,
                feed=feed,
                captures=captures,
                ws=workspace,
            )
        finally:
            feed.stop()
            captures.close()
            poll.join()


class LedgerFeed:
    """The targets of a deployment as the ledger lets them be served.

    Each change is verified and opened before it is handed over; a target whose release was
    revoked or expired is dropped. When the ledger cannot be reached, what was last verified and
    has not expired is served on for the policy's ``offline_grace``, then nothing is. Within it an
    order takes the endpoint back to the release that was verified for that: see `standby`.
    """

    def __init__(
        self,
        session: Session,
        deployment: Deployment,
        workspace: CoreWorkspace,
        listening: Callable[[str], None] | None = None,
    ) -> None:
        self._session = session
        self._deployment = deployment
        self._workspace = workspace
        self._current: tuple[OpenTarget, ...] = ()
        self._problem = ""
        self._listening = listening
        self._watchers: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._verified = time.monotonic()
        self._opened: dict[str, OpenTarget] = {}
        self._refused: set[str] = set()
        self._address = ""
        self._replaces = _replaced(session, deployment)
        self._standby: OpenTarget | None = None
        self._standby_at = -_STANDBY_SECONDS
        # A server goes on with what it last verified, and says so; it does not wait.
        session.wait_at_most(0.0)

    @property
    def current(self) -> tuple[OpenTarget, ...]:
        return self._current

    @property
    def problem(self) -> str:
        return self._problem

    @property
    def command(self) -> tuple[str, ...]:
        return process.command(self._session, self._deployment.id)

    @property
    def replaces(self) -> str:
        return self._replaces

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def started(self, address: str) -> None:
        home = process.folder(self._session)
        told = {"address": address, "process": attrs.asdict(this_process())}
        temporary = home / f"{self._deployment.id}.json.tmp"
        temporary.write_text(json.dumps(told), encoding="utf-8")
        temporary.replace(home / f"{self._deployment.id}.json")
        self._address = address
        if self._listening is not None:
            self._listening(address)

    def stop(self) -> None:
        """Stop following the ledger."""
        self._stopping.set()

    def follow(self) -> None:
        """Look at the ledger again and again, until stopped."""
        while not self._stopping.wait(_POLL_SECONDS):
            self.refresh()

    def refresh(self) -> None:
        """Take over what the ledger says now."""
        try:
            wanted = self._wanted()
            if self._settle_order():
                wanted = self._wanted()
            targets, problem = self._allowed(wanted)
        except LedgerError as error:
            self._without_ledger(error)
            return
        except InterlockError as error:
            # What cannot be opened is not served; what is served goes on.
            self._problem = self._session.redact(str(error))
            return
        self._verified = time.monotonic()
        self._problem = problem
        self._close_others(targets)
        if self._take(targets) or self._verified - self._standby_at >= _STANDBY_SECONDS:
            # Nothing to go back to is no reason not to serve.
            with contextlib.suppress(InterlockError):
                self._keep_standby()

    def _wanted(self) -> Deployment:
        """What is to be served, as the ledger has it.

        Raises:
            LedgerError: it cannot be read, or knows nothing of this deployment: nothing that was
                recorded goes, so that it is another ledger, or an older copy.
        """
        row = self._session.reads.deployment(self._deployment.id)
        if row is None:
            msg = f"it has no {self._deployment.id}: it is another ledger, or an older copy"
            raise LedgerError(msg)
        return decode_one(Deployment, row["body"])

    def _allowed(self, wanted: Deployment) -> tuple[tuple[OpenTarget, ...], str]:
        """The targets that the ledger allows, and why others are dropped."""
        reads, now = self._session.reads, datetime.now(UTC)
        allowed, dropped = [], []
        for target in wanted.targets:
            release = reads.release(target.release.id)
            why = (
                unfit(reads, release, self._deployment.endpoint, now)
                if release is not None
                else "is not in the ledger"
            )
            if release is None or why:
                dropped.append(self._drop(target.release.id, why))
                continue
            # The ledger's release counts, not the copy that the deployment carries.
            recorded = decode_one(Release, release["body"])
            allowed.append(self._open(attrs.evolve(target, release=recorded)))
        return _answering(allowed), "; ".join(dropped)

    def _drop(self, release_id: str, why: str) -> str:
        """Why a release is not served, as a sentence; on record once for this server."""
        reason = f"release {release_id} {why}"
        if release_id not in self._refused:
            self._refused.add(release_id)
            # A ledger that can be read and not written must not keep a revoked release alive.
            with contextlib.suppress(LedgerError):
                record_refusal(self._session, release_id, what="serve", reason=reason)
        return reason

    def _open(self, target: Target) -> OpenTarget:
        known = self._opened.get(target.release.id)
        if known is None:
            model = served_model(self._session, target.release)
            predictor = self._workspace.open_model(model)
            known = OpenTarget(target=target, predictor=predictor)
            self._opened[target.release.id] = known
        if known.target != target:
            known = OpenTarget(target=target, predictor=known.predictor)
        return known

    def _close_others(self, targets: tuple[OpenTarget, ...]) -> None:
        """Let go of models that are neither served nor stand by, so that memory stays flat."""
        kept = [*targets, *self._current, *([self._standby] if self._standby else [])]
        names = {one.target.release.id for one in kept}
        self._opened = {name: one for name, one in self._opened.items() if name in names}

    def _take(self, targets: tuple[OpenTarget, ...]) -> bool:
        """Hand over other targets; False where they are those that are served."""
        if [kept.target for kept in targets] == [kept.target for kept in self._current]:
            return False
        self._current = targets
        for changed in self._watchers:
            changed()
        return True

    def _keep_standby(self) -> None:
        """Verify and open what the endpoint could go back to, and note which release it is."""
        self._standby_at = time.monotonic()
        reads, endpoint = self._session.reads, self._deployment.endpoint
        under_way = reads.open_rollout(endpoint.project, endpoint.stack, endpoint.name)
        row = reads.release(under_way["champion"]) if under_way else find_last_good(reads, endpoint)
        self._standby = None
        if row is not None and not unfit(reads, row, endpoint, datetime.now(UTC)):
            release = decode_one(Release, row["body"])
            model = served_model(self._session, release)
            self._standby = self._open(Target(release=release, model=model))
        if self._address:
            from interlock.serving.standby import write_note

            facts = Facts(attrs.asdict(this_process()))
            deployment = attrs.evolve(self._deployment, address=self._address, facts=facts)
            noted = self._standby.target.release if self._standby else None
            write_note(process.folder(self._session), deployment, noted)

    @property
    def _order_path(self) -> Path:
        return process.order_path(process.folder(self._session), self._deployment.id)

    def _order(self) -> tuple[Order, OpenTarget] | None:
        """An order to go back, where it names what this server verified for that."""
        if not self._order_path.exists():
            return None
        from interlock.serving.standby import read_order

        order = read_order(process.folder(self._session), self._deployment.id)
        if order is None or self._standby is None:
            return None
        known = self._standby.target.release.id == order.release
        return (order, self._standby) if known else None

    def _settle_order(self) -> bool:
        """Record what was done while the ledger was away; whether anything was."""
        found = self._order()
        if found is not None:
            from interlock.serving.standby import record

            order, standby = found
            try:
                record(self._session, self._deployment, order, standby.target)
            except LedgerError:
                raise
            except InterlockError as error:
                # The alias did not follow: reconciling finds it, and the release is on record.
                self._workspace.log.warning("%s", self._session.redact(str(error)))
        # One that names another release is not kept until that may be gone back to.
        if self._standby is not None:
            self._order_path.unlink(missing_ok=True)
        return found is not None

    def _without_ledger(self, error: LedgerError) -> None:
        silent = time.monotonic() - self._verified
        grace, why = self._session.stack.policy.offline_grace, self._session.redact(str(error))
        self._problem = f"the ledger cannot be read for {silent:.0f} s (grace {grace:g} s): {why}"
        # A term ends whether or not the ledger can be asked.
        now = datetime.now(UTC)
        found = self._order()
        kept_on = self._current if found is None else (found[1],)
        ends = [(kept, kept.target.release.expires) for kept in kept_on]
        unexpired = (kept for kept, expires in ends if expires is None or now < expires)
        self._take(tuple(unexpired) if silent <= grace else ())


def _replaced(session: Session, deployment: Deployment) -> str:
    """The address of a server of ours that still serves this endpoint; empty where none does."""
    endpoint = deployment.endpoint
    rows = session.reads.deployments(
        endpoint.project, stack=endpoint.stack, endpoint=endpoint.name, status="applied", limit=None
    )
    others = (decode_one(Deployment, row["body"]) for row in rows if row["id"] != deployment.id)
    return next((other.address for other in others if process.is_running(other)), "")


def _answering(allowed: list[OpenTarget]) -> tuple[OpenTarget, ...]:
    """The targets that are left when others were dropped: one that stands by steps in.

    A champion beside which a release is tried has a weight of 0 where that has the whole.
    """
    answering = [one for one in allowed if not one.target.mirror]
    if answering and not any(one.target.weight > 0 for one in answering):
        first = answering[0]
        stepped_in = attrs.evolve(first.target, weight=1.0)
        allowed[allowed.index(first)] = OpenTarget(target=stepped_in, predictor=first.predictor)
    return tuple(allowed)
