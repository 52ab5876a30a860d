"""Inside the server process: what the ledger lets it serve, opened, and kept up to date."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from interlock.codec import decode
from interlock.errors import InterlockError, LedgerError, UsageError
from interlock.lifecycle.releases import record_refusal, served_model, unfit
from interlock.processes import this_process
from interlock.serving import process
from interlock.serving.capture import CaptureWriter
from interlock_hookspecs import Deployment, Endpoint, OpenTarget, Release, Target

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.session import Session

_POLL_SECONDS = 0.1


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
    row = session.ledger.reads.deployment(deployment_id)
    if row is None:
        msg = f"the ledger has no deployment {deployment_id}"
        raise UsageError(msg)
    deployment = decode(Deployment, row["body"])
    endpoint, maker = deployment.endpoint, deployment.maker
    if maker is None:
        msg = f"{deployment_id} names no plugin that serves it"
        raise UsageError(msg)
    captures = CaptureWriter(captures_folder(session, endpoint))
    with session.workspace(deployment_id) as workspace:
        feed = LedgerFeed(session, deployment, workspace, listening)
        feed.refresh()
        poll = threading.Thread(target=feed.follow, name="ledger", daemon=True)
        poll.start()
        try:
            session.funnel.owner(
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
    has not expired is served on for the policy's ``offline_grace``, then nothing is.
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
        # A server goes on with what it last verified, and says so; it does not wait.
        session.ledger.patience.seconds = 0.0

    @property
    def current(self) -> tuple[OpenTarget, ...]:
        return self._current

    @property
    def problem(self) -> str:
        return self._problem

    @property
    def command(self) -> tuple[str, ...]:
        return process.command(self._session, self._deployment.id)

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def started(self, address: str) -> None:
        home = process.folder(self._session)
        told = {"address": address, "process": attrs.asdict(this_process())}
        temporary = home / f"{self._deployment.id}.json.tmp"
        temporary.write_text(json.dumps(told), encoding="utf-8")
        temporary.replace(home / f"{self._deployment.id}.json")
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
            targets, problem = self._allowed()
        except LedgerError as error:
            self._without_ledger(error)
            return
        except InterlockError as error:
            # What cannot be opened is not served; what is served goes on.
            self._problem = self._session.redact(str(error))
            return
        self._verified = time.monotonic()
        self._problem = problem
        self._take(targets)

    def _allowed(self) -> tuple[tuple[OpenTarget, ...], str]:
        """The targets that the ledger allows, and why others are dropped."""
        reads = self._session.ledger.reads
        row = reads.deployment(self._deployment.id)
        wanted = decode(Deployment, row["body"]).targets if row else ()
        now = datetime.now(UTC)
        allowed, dropped = [], []
        for target in wanted:
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
            recorded = decode(Release, release["body"])
            allowed.append(self._open(attrs.evolve(target, release=recorded)))
        return tuple(allowed), "; ".join(dropped)

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

    def _take(self, targets: tuple[OpenTarget, ...]) -> None:
        if [kept.target for kept in targets] == [kept.target for kept in self._current]:
            return
        self._current = targets
        for changed in self._watchers:
            changed()

    def _without_ledger(self, error: LedgerError) -> None:
        silent = time.monotonic() - self._verified
        grace, why = self._session.stack.policy.offline_grace, self._session.redact(str(error))
        self._problem = f"the ledger cannot be read for {silent:.0f} s (grace {grace:g} s): {why}"
        # A term ends whether or not the ledger can be asked.
        now = datetime.now(UTC)
        ends = [(kept, kept.target.release.expires) for kept in self._current]
        unexpired = (kept for kept, expires in ends if expires is None or now < expires)
        self._take(tuple(unexpired) if silent <= grace else ())
