"""A version comes to another stack: verified, registered, on record, and to be reviewed there.

The run's id goes in first. Then the artifacts are copied, each read again; the registry is asked
under the id that the version has; and one transaction makes a run of it, whose stages up to the
review are those of where it comes from. Killed at any point, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs

from interlock.artifacts.copy import copy_artifact
from interlock.codec import encode
from interlock.errors import Tampered, UsageError
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.audit import keep_checkpoint
from interlock.lifecycle.precedents import binding_policies
from interlock.lifecycle.promote.bundle import Bundle, gather
from interlock.lifecycle.tasks import refuse_other_task
from interlock_hookspecs import Model, ModelVersion

if TYPE_CHECKING:
    from interlock.ledger import Reads
    from interlock.session import Session


@attrs.frozen(kw_only=True)
class Promoted:
    """What a promotion made.

    Attributes:
        run: the run in the target's ledger, to be resumed.
        version: as the target's registry has it; None where the stack has none.
        model: what was promoted.
        known: whether it had been promoted before.
    """

    run: str
    version: ModelVersion | None
    model: Model
    known: bool


def promote(source: Session, target: Session, text: str) -> Promoted:
    """Bring a version to another stack, where it is to be reviewed anew.

    Approvals and releases stay behind: the target's policy and its people decide.

    Args:
        source: the stack that has it.
        target: the stack that it comes to.
        text: a version, a digest or a run.

    Raises:
        UsageError, GateRefused, Tampered: see `gather`; or the target's task is another.
        HookFailed: the target's registry failed; the same command goes on from there.
    """
    if source.stack.name == target.stack.name:
        msg = f"a promotion is from one stack to another, and {source.stack.name!r} is both"
        raise UsageError(msg, hint="name the stack that it comes to: --to NAME")
    _ = target.funnel
    bundle = gather(source, text)
    refuse_other_task(target, bundle.run)
    run_id = _intended(target, bundle)
    known = run_id is not None and target.ledger.reads.run(run_id) is not None
    if run_id is None:
        run_id = new_id("run")
        target.ledger.append(
            target.project, "promotion.intended", run_id, _intention(target, bundle)
        )
    _copy(source, target, bundle)
    version = _register(target, bundle, run_id)
    if not known:
        entries = tuple(_entries(source, target, bundle, run_id, version))
        target.ledger.append_all(
            target.project, entries, guard=lambda reads: _refuse_twice(reads, run_id)
        )
        keep_checkpoint(target)
    _tell_source(source, target, bundle, run_id)
    return Promoted(run=run_id, version=version, model=bundle.version.model, known=known)


def _intention(target: Session, bundle: Bundle) -> dict[str, Any]:
    """What is to come: the same for the same version and dossier from the same place."""
    return {
        "stack": target.stack.name,
        "version": bundle.version.id,
        "model": bundle.version.model.digest,
        "dossier": bundle.origin["dossier"],
        "ledger": bundle.origin["ledger"],
        "from": bundle.origin["stack"],
    }


def _intended(target: Session, bundle: Bundle) -> str | None:
    """The run that an earlier attempt was to make of exactly this."""
    wanted = _intention(target, bundle)
    events = target.ledger.reads.events(
        target.project, kind="promotion.intended", after=0, limit=None
    )
    return next((str(event["subject"]) for event in events if event["payload"] == wanted), None)


def _copy(source: Session, target: Session, bundle: Bundle) -> None:
    started, total = perf_counter(), len(bundle.artifacts)
    target.reporter.stage("artifacts", "")
    for place, artifact in enumerate(bundle.artifacts):
        target.reporter.progress("artifacts", place, total)
        copy_artifact(artifact, source.store, target.store)
    size = sum(artifact.size for artifact in bundle.artifacts)
    text = f"{total} copied, {size:,} bytes, each read again"
    target.reporter.done("artifacts", text, perf_counter() - started)


def _register(target: Session, bundle: Bundle, run_id: str) -> ModelVersion | None:
    funnel, wanted = target.funnel, bundle.version
    if not funnel.has("register_version"):
        return None
    started = perf_counter()
    with target.workspace(run_id) as workspace:
        made: ModelVersion = funnel.one(
            "register_version",
            name=target.project,
            id=wanted.id,
            model=wanted.model,
            facts=wanted.facts,
            ws=workspace,
        )
    if made.model.digest != wanted.model.digest:
        msg = f"{made.maker} has {made.model.digest} under {wanted.id}"
        raise Tampered(msg)
    text = f"{made.name} version {made.number}"
    target.reporter.done("register", text, perf_counter() - started)
    return made


def _refuse_twice(reads: Reads, run_id: str) -> None:
    if reads.run(run_id) is not None:
        msg = "another process has promoted it meanwhile"
        raise UsageError(msg, hint="the same command again says as what")


def _entries(
    source: Session,
    target: Session,
    bundle: Bundle,
    run_id: str,
    version: ModelVersion | None,
) -> Iterator[Entry]:
    """The run as the target's ledger has it from here on."""
    stages = dict(bundle.stages)
    outputs = {name: value for _, given in stages.values() for name, value in given.items()}
    yield Entry(
        "run.imported",
        run_id,
        {
            "stack": target.stack.name,
            "until": "monitor",
            "policy": encode(target.stack.policy),
            "policies": binding_policies(target),
            "task": encode(target.stack.task),
            "facts": bundle.run["facts"],
            "code": bundle.run["code"],
            "overrides": [],
            "model": bundle.version.model.digest,
            "dataset": outputs["dataset"]["digest"],
            "version": version.id if version else None,
            "message": f"promoted from {source.stack.name}: to be reviewed here",
            "origin": bundle.origin,
        },
        run_id,
    )
    model = bundle.version.model.digest
    for phase, name in (("data", "data_checks"), ("model", "checks")):
        said = {"phase": phase, "model": model, "checks": outputs[name]}
        yield Entry("checks.measured", run_id, said, run_id)
    yield Entry("profiles.built", run_id, {"profiles": outputs["profiles"]}, run_id)
    if version is not None:
        yield _version_entry(source, target, bundle, run_id, version)
        stages["register"] = ("", {"version": encode(version)})
    for name, (of, given) in stages.items():
        said = {"stage": name, "outputs": dict(given), "of": of or None}
        yield Entry("stage.imported", new_id("stage"), said, run_id)


def _version_entry(
    source: Session, target: Session, bundle: Bundle, run_id: str, version: ModelVersion
) -> Entry:
    """The version in the target's ledger: new to it, or known and now in another registry too."""
    record = {"model": version.model.digest, "record": encode(version)}
    known = target.ledger.reads.version(version.id) is not None
    if known or source.ledger.id == target.ledger.id:
        return Entry("version.copied", version.id, record, run_id)
    return Entry("version.imported", version.id, {**record, "origin": bundle.origin}, run_id)


def _tell_source(source: Session, target: Session, bundle: Bundle, run_id: str) -> None:
    """The ledger that it left has where to, once."""
    said = {"stack": target.stack.name, "ledger": target.ledger.id, "as": run_id}
    told = source.ledger.reads.events(
        source.project, kind="version.promoted", subject=bundle.version.id, after=0, limit=None
    )
    if not any(event["payload"] == said for event in told):
        source.ledger.append(
            source.project, "version.promoted", bundle.version.id, said, run=bundle.origin["run"]
        )
        keep_checkpoint(source)
