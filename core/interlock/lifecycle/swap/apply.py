"""Doing a plan: a state machine over the ledger's events, resumable from wherever it was killed.

Each act can be done twice and is done once: versions are registered under the ids that they have,
artifacts lie under their digests, an alias moves from where it is expected. What was done is an
event; what was done and not recorded is found when it is asked for again. The old registry is
read, and never written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from interlock.artifacts.copy import copy_artifact
from interlock.codec import canonical, decode, encode
from interlock.errors import (
    GateRefused,
    HookFailed,
    InterlockError,
    LedgerError,
    Tampered,
    UsageError,
)
from interlock.ids import new_id, short
from interlock.lifecycle.aliases import registry_of
from interlock.lifecycle.audit import keep_checkpoint
from interlock.lifecycle.swap.plan import make_plan
from interlock.lifecycle.swap.values import AliasMove, Plan
from interlock.lifecycle.swap.world import held_versions, listing_digest
from interlock.processes import ProcessIdentity, is_alive, this_process
from interlock_hookspecs import Artifact, Conflict, ModelVersion

if TYPE_CHECKING:
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.session import Session


class WorldChanged(UsageError):  # noqa: N818  (read as a sentence)
    """What was planned from is no longer so."""


@attrs.frozen(kw_only=True)
class Swapped:
    """What a swap did.

    Attributes:
        id: of the swap; empty where there was nothing to do.
        plan: what was done.
        resumed: whether an earlier process had begun it.
    """

    id: str
    plan: Plan
    resumed: bool


def apply_plan(source: Session, target: Session, *, digest: str | None = None) -> Swapped:
    """Do what the plan of this moment says, or go on with one that was begun.

    Args:
        source: the stack whose records move.
        target: the stack that takes over.
        digest: the beginning of the digest of the plan that somebody read; another is refused.

    Raises:
        UsageError: the plan is another, because the world has changed since it was read; or
            another process is at work on it.
        GateRefused: something would be lost.
        InterlockError: a backend failed; the same command goes on from there.
    """
    begun = under_way(source, target)
    plan = _recorded_plan(source, begun) if begun else make_plan(source, target)
    if digest is not None and not plan.digest.removeprefix("sha256:").startswith(
        digest.removeprefix("sha256:")
    ):
        why = "that swap was begun and is not done" if begun else "the world has changed since"
        msg = f"the plan is {plan.digest[:19]}, not {digest[:19]}: {why}"
        raise WorldChanged(msg, hint=f"interlock stack plan --to {target.stack.name}")
    if plan.losses:
        lost = "\n".join(f"  - {loss}" for loss in plan.losses)
        msg = f"this would be lost on the way to {target.stack.name}:\n{lost}"
        raise GateRefused(msg, hint=f"interlock stack plan --to {target.stack.name}")
    if begun is None and plan.empty:
        return Swapped(id="", plan=plan, resumed=False)
    swap = _Swap(source, target, plan, str(begun["subject"]) if begun else new_id("swap"))
    swap.begin(begun)
    swap.run()
    return Swapped(id=swap.id, plan=plan, resumed=begun is not None)


def under_way(source: Session, target: Session) -> Mapping[str, Any] | None:
    """The event that began a swap between these two which nothing has ended; None without one."""
    reads, found = source.ledger.reads, None
    for event in reads.events(source.project, kind="swap.started", after=0, limit=None):
        said = event["payload"] or {}
        if (said.get("source"), said.get("target")) == (source.stack.name, target.stack.name):
            found = event
    if found is None or any(_ends(event) for event in _events_of(source, found["subject"])):
        return None
    return found


def _ends(event: Mapping[str, Any]) -> bool:
    over = (event["payload"] or {}).get("over") is True
    return event["kind"] == "swap.finished" or (event["kind"] == "swap.failed" and over)


def _events_of(source: Session, swap: str) -> list[Mapping[str, Any]]:
    return list(source.ledger.reads.events(source.project, subject=swap, after=0, limit=None))


def _recorded_plan(source: Session, begun: Mapping[str, Any]) -> Plan:
    artifact = decode(Artifact, begun["payload"]["plan"])
    return decode(Plan, orjson.loads(source.store.read(artifact)))


class _Swap:
    """A swap under way."""

    def __init__(self, source: Session, target: Session, plan: Plan, identifier: str) -> None:
        self.source = source
        self.target = target
        self.plan = plan
        self.id = identifier
        self.reporter = source.reporter

    def begin(self, begun: Mapping[str, Any] | None) -> None:
        """Put it on record before anything is done; go on where it is on record."""
        process = attrs.asdict(this_process())
        if begun is not None:
            self._refuse_living()
            self._append("swap.resumed", self.id, process)
            return
        kept = self.source.store.keep_bytes(canonical(encode(self.plan)), name="plan.json")
        payload = {
            "source": self.plan.source.stack,
            "target": self.plan.target.stack,
            "digest": self.plan.digest,
            "plan": encode(kept),
            "registries": encode((self.plan.source.registry, self.plan.target.registry)),
            "cost": encode(self.plan.cost),
            **process,
        }
        self._append("swap.started", self.id, payload)

    def _refuse_living(self) -> None:
        fields = attrs.fields_dict(ProcessIdentity)
        *_, last = (
            event["payload"]
            for event in _events_of(self.source, self.id)
            if event["kind"] in ("swap.started", "swap.resumed")
        )
        process = ProcessIdentity(**{name: last[name] for name in fields})
        if process.pid != this_process().pid and is_alive(process) is not False:
            msg = f"{short(self.id)} is at work in process {process.pid} on {process.host}"
            raise UsageError(msg, hint="wait for it, or end that process first")

    def run(self) -> None:
        """Artifacts, then versions, then aliases, then a look at all of it."""
        started = perf_counter()
        try:
            with self.target.workspace(self.id) as workspace:
                self._unchanged()
                self._step("artifacts", self._copy_artifacts, workspace)
                self._step("versions", self._copy_versions, workspace)
                self._step("aliases", self._copy_aliases, workspace)
                self._step("verify", self._verify, workspace)
        except InterlockError as error:
            with contextlib.suppress(LedgerError):
                message = self.source.redact(self.target.redact(str(error)))
                # A plan of another world is over; whatever else failed may be gone on with.
                over = isinstance(error, WorldChanged)
                self._append("swap.failed", self.id, {"message": message, "over": over})
            raise
        seconds = perf_counter() - started
        self._append("swap.finished", self.id, {"digest": self.plan.digest, "seconds": seconds})
        keep_checkpoint(self.source)

    def _step(self, name: str, act: Callable[[CoreWorkspace], str], ws: CoreWorkspace) -> None:
        self.reporter.stage(name, "")
        started = perf_counter()
        self.reporter.done(name, act(ws), perf_counter() - started)

    def _unchanged(self) -> tuple[ModelVersion, ...]:
        """What the old registry holds; refused where it is no longer what was planned from."""
        found = held_versions(self.source)
        if listing_digest(found) != self.plan.listing:
            msg = f"the registry of {self.plan.source.stack} has changed since the plan was made"
            raise WorldChanged(msg, hint=f"interlock stack plan --to {self.plan.target.stack}")
        return found

    def _copy_artifacts(self, ws: CoreWorkspace) -> str:
        total = len(self.plan.artifacts)
        for place, artifact in enumerate(self.plan.artifacts):
            self.reporter.progress("artifacts", place, total)
            copy_artifact(artifact, self.source.store, self.target.store)
        for version in self.plan.versions:
            if version.id in self.plan.fetched:
                self._fetch(self.source, version, ws)
        count, size = total + len(self.plan.fetched), self.plan.cost.bytes
        if count and not self._done("artifacts.copied"):
            self._append(
                "artifacts.copied", self.id, {"swap": self.id, "count": count, "bytes": size}
            )
        return f"{count} copied, each read again"

    def _fetch(self, session: Session, version: ModelVersion, ws: CoreWorkspace) -> None:
        """A registry's own copy of a version, which must have the version's digest."""
        kept = session.funnel.one("fetch_version", version=version, ws=ws)
        if kept.digest != version.model.digest:
            msg = f"the registry of {session.stack.name} hands back {kept.digest} for {version.id}"
            raise Tampered(msg)

    def _copy_versions(self, ws: CoreWorkspace) -> str:
        copied = {event["subject"] for event in self._done("version.copied")}
        keeps_bytes = self.target.funnel.has("fetch_version")
        total = len(self.plan.versions)
        for place, version in enumerate(self.plan.versions):
            if version.id in copied:
                continue
            self.reporter.progress("versions", place, total)
            made = self._register(version, ws)
            _same(version, made)
            if keeps_bytes:
                self._fetch(self.target, made, ws)
            payload = {"swap": self.id, "model": version.model.digest, "record": encode(made)}
            self._append("version.copied", version.id, payload)
        return f"{total} registered, oldest first"

    def _register(self, version: ModelVersion, ws: CoreWorkspace) -> ModelVersion:
        try:
            made: ModelVersion = self.target.funnel.one(
                "register_version",
                name=version.name,
                id=version.id,
                model=version.model,
                facts=version.facts,
                ws=ws,
            )
        except HookFailed as error:
            if isinstance(error.__cause__, Conflict):
                raise self._changed(str(error)) from error
            raise
        return made

    def _changed(self, what: str) -> WorldChanged:
        msg = f"{self.plan.target.stack} is no longer what was planned for: {what}"
        return WorldChanged(msg, hint=f"interlock stack plan --to {self.plan.target.stack}")

    def _copy_aliases(self, _: CoreWorkspace) -> str:
        done = {event["payload"]["alias"] for event in self._done("alias.copied")}
        for move in self.plan.aliases:
            if move.alias not in done:
                self._move(move)
        return f"{len(self.plan.aliases)} moved"

    def _move(self, move: AliasMove) -> None:
        name, funnel = self.plan.project, self.target.funnel
        wanted = funnel.one("get_version", name=name, ref=move.model)
        if wanted is None:
            raise self._changed(f"{short(move.version)} is gone")
        # Moved by a process that died before it could say so.
        if move.alias not in wanted.aliases:
            funnel.one(
                "set_alias",
                name=name,
                alias=move.alias,
                expected=move.expected,
                number=wanted.number,
            )
        payload = {
            "swap": self.id,
            "name": name,
            "alias": move.alias,
            "model": move.model,
            "number": wanted.number,
            "previous": move.expected,
            "registry": registry_of(self.target),
        }
        self._append("alias.copied", move.version, payload)

    def _verify(self, _: CoreWorkspace) -> str:
        """Hold what the new registry lists against what the old one does."""
        old, new = self._unchanged(), held_versions(self.target)
        places = {version.id: place for place, version in enumerate(new)}
        digests = {version.model.digest: place for place, version in enumerate(new)}
        found = []
        for version in old:
            place = places.get(version.id, digests.get(version.model.digest))
            if place is None:
                raise self._changed(f"{short(version.id)} is gone")
            if new[place].model.digest != version.model.digest:
                msg = f"{version.id} has other bytes in {self.plan.target.stack}"
                raise Tampered(msg)
            missing = set(version.aliases) - set(new[place].aliases)
            if missing:
                msg = f"{version.id} lacks {', '.join(sorted(missing))} in {self.plan.target.stack}"
                raise Tampered(msg)
            found.append(place)
        if found != sorted(found):
            msg = f"{self.plan.target.stack} lists the versions in another order"
            raise Tampered(msg)
        return f"{len(old)} versions are there, in order, with their aliases"

    def _done(self, kind: str) -> list[Mapping[str, Any]]:
        """The events of a kind that this swap wrote."""
        reads, first = self.source.ledger.reads, _events_of(self.source, self.id)[0]["sequence"]
        events = reads.events(self.source.project, kind=kind, after=first, limit=None)
        return [event for event in events if (event["payload"] or {}).get("swap") == self.id]

    def _append(self, kind: str, subject: str, payload: Mapping[str, Any]) -> None:
        self.source.ledger.append(self.source.project, kind, subject, payload)


def _same(wanted: ModelVersion, made: ModelVersion) -> None:
    """Refuse a version that is not the one that was sent."""
    said = (made.id, made.name, made.model.digest)
    if said != (wanted.id, wanted.name, wanted.model.digest):
        msg = f"{wanted.maker} sent {wanted.id}, {made.maker} has {made.id} of {made.model.digest}"
        raise Tampered(msg, hint="interlock stack plan looks at it again")
    lost = [key for key, value in wanted.facts.items() if made.facts.get(key) != value]
    if lost:
        msg = f"{made.maker} has lost facts of {wanted.id}: {', '.join(sorted(lost))}"
        raise Tampered(msg)
