"""The state machine of a run: stage after stage, resumable from whatever point it was killed at."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import digest_of, encode
from interlock.errors import (
    ApprovalNeeded,
    GateRefused,
    HookFailed,
    InterlockError,
    LedgerError,
    UsageError,
)
from interlock.ids import new_id, short
from interlock.ledger import Entry
from interlock.lifecycle.audit import artifacts_in, keep_checkpoint
from interlock.lifecycle.bounds import refuse_unmeasurable
from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.endpoints import endpoint_of
from interlock.lifecycle.facts import code_digest, run_facts
from interlock.lifecycle.packaging import packager
from interlock.lifecycle.precedents import binding_policies
from interlock.lifecycle.releases import rejected_since, unfit
from interlock.lifecycle.stages.data import describe
from interlock.lifecycle.tasks import refuse_other_task
from interlock.processes import is_alive, process_of, this_process

if TYPE_CHECKING:
    from interlock.lifecycle.imports import Source
    from interlock.session import Session
    from interlock_hookspecs import Dataset

STAGES = ("data", "train", "validate", "register", "review", "deploy", "monitor")
"""The stages of a run, in order."""

_REVIEWED = STAGES.index("review") + 1


@attrs.frozen(kw_only=True)
class RunEnd:
    """How a run ended.

    Attributes:
        run: its id.
        last: the last stage that was done.
        context: what its stages gave.
        unchanged: whether there was nothing to do: what its stages came to was there before.
    """

    run: str
    last: str
    context: Context
    unchanged: bool = False


@attrs.frozen(kw_only=True)
class _Stage:
    name: str
    inputs: Callable[[Context], Mapping[str, Any] | None]
    perform: Callable[[Context], Result]


def _stage(name: str) -> _Stage:
    import importlib

    module = importlib.import_module(f"interlock.lifecycle.stages.{name}")
    return _Stage(name=name, inputs=module.inputs, perform=module.perform)


def start_run(
    session: Session,
    *,
    until: str = "monitor",
    again: bool = False,
    imported: Source | None = None,
) -> RunEnd:
    """Begin a run and take it as far as asked.

    Args:
        session: the opened stack.
        until: the last stage.
        again: whether stages whose inputs are those of an earlier run are done again, and a
            release that went back here is deployed again.
        imported: a model made elsewhere, which the run brings instead of training one.

    Raises:
        GateRefused, ApprovalNeeded: a gate stopped it; everything so far is recorded.
        InterlockError: a stage failed; ``resume_run`` goes on from there.
    """
    # Plugins load, and the dataset is looked at, before anything is written: a stack that does not
    # load, or whose rows are not there, leaves no run behind.
    funnel = session.funnel
    packager(session)
    deployed = STAGES.index(until) >= STAGES.index("deploy")
    if STAGES.index(until) >= STAGES.index("review"):
        refuse_unmeasurable(session, deployed=deployed)
    if deployed:
        # A run that ends before does without all that serves and watches.
        from interlock.lifecycle.rollouts.begin import refuse_unable

        refuse_unable(session)
    if imported is not None:
        from interlock.lifecycle.imports import refuse_unknown

        refuse_unknown(session, imported)
    described = describe(session)
    # The ledger before the id, which is to sort after everything in it.
    ledger = session.ledger
    run_id = new_id("run")
    code = code_digest(session.stack.root)
    process = this_process()
    names = tuple(str(member.maker) for member in funnel.members)
    facts = run_facts(session.stack.root, names)
    payload = {
        "stack": session.stack.name,
        "until": until,
        "inputs": digest_of({"code": code, "makers": names}),
        "policy": encode(session.stack.policy),
        "policies": binding_policies(session),
        "task": encode(session.task),
        "facts": dict(facts),
        "code": code,
        "overrides": list(session.overrides),
        "settings": {member.maker.plugin: member.maker.settings for member in funnel.members},
        **attrs.asdict(process),
    }
    if imported is not None:
        payload["imported"] = attrs.asdict(imported)
    ledger.append(session.project, "run.started", run_id, payload, run=run_id)
    return _advance(session, run_id, code=code, until=until, again=again, described=described)


def resume_run(
    session: Session,
    run_id: str,
    *,
    until: str | None = None,
    again: bool = False,
    insists: bool = False,
) -> RunEnd:
    """Go on with a run from the first stage that is not done.

    Args:
        session: the opened stack.
        run_id: which run.
        until: the last stage; by default the run's own.
        again: as `start_run` has it.
        insists: whether a release of it that went back here is deployed again.

    Raises:
        UsageError: there is no such run, it is another stack's, or its process is alive.
    """
    run = session.ledger.reads.run(run_id)
    if run is None:
        msg = f"there is no run {run_id}"
        raise UsageError(msg, hint="interlock runs")
    if run["stack"] != session.stack.name:
        msg = f"{short(run_id)} is a run of the stack {run['stack']!r}"
        raise UsageError(msg, hint=f"add --stack {run['stack']}")
    _refuse_living(run)
    _ = session.funnel

    def still_ours(now: Mapping[str, Any] | None) -> None:
        if now is None or (now["pid"], now["host"]) != (run["pid"], run["host"]):
            msg = f"{short(run_id)} was resumed by another process meanwhile"
            raise UsageError(msg)

    session.ledger.append(
        session.project,
        "run.resumed",
        run_id,
        attrs.asdict(this_process()),
        run=run_id,
        guard=lambda reads: still_ours(reads.run(run_id)),
    )
    if _origin(run) is not None:
        refuse_other_task(session, run["body"])
    # What was promoted is of the code that it was made with, wherever that lies now.
    code = run["body"]["code"] if _origin(run) else code_digest(session.stack.root)
    last = until or run["until"]
    return _advance(session, run_id, code=code, until=last, again=again, insists=insists)


def _origin(run: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Where a run was promoted from; None where it began here."""
    return run["body"].get("origin") if run else None


def _brought(session: Session, run_id: str) -> dict[str, Mapping[str, Any]]:
    """The outputs of the stages that came with a promoted run: they are not done again here."""
    stages = session.ledger.reads.stages(run_id)
    return {row["stage"]: row["outputs"] for row in stages if row["status"] == "imported"}


def _refuse_living(run: Mapping[str, Any]) -> None:
    if run["status"] != "running" or run["pid"] == os.getpid():
        return
    process = process_of(run)
    if is_alive(process) is not False:
        msg = f"{short(run['id'])} is at work in process {process.pid} on {process.host}"
        raise UsageError(msg, hint="wait for it, or end that process first")


def _advance(
    session: Session,
    run_id: str,
    *,
    code: str,
    until: str,
    again: bool,
    described: Dataset | None = None,
    insists: bool = False,
) -> RunEnd:
    stages = STAGES[: STAGES.index(until) + 1]
    origin = _origin(session.ledger.reads.run(run_id))
    brought = _brought(session, run_id) if origin else {}
    released = {} if again else _released(session, run_id)
    last, anew = "", False
    session.store.sweep()
    with session.workspace(run_id) as workspace:
        context = Context(
            session,
            run_id,
            workspace,
            code=code,
            origin=origin,
            described=described,
            insists=insists or again,
        )
        try:
            for name in stages:
                if name in released:
                    context.restore(released[name])
                    session.reporter.done(name, "done before", 0.0)
                elif origin and name in brought:
                    context.restore(brought[name])
                    session.reporter.done(name, f"as promoted from {origin['stack']}", 0.0)
                elif has_stage(session, name):
                    # What was done in this very run is done again only where it is asked for.
                    redo = again and name == until
                    anew |= _execute(context, _stage(name), again=again, redo=redo)
                else:
                    continue
                last = name
        except BaseException as error:
            # A ledger that cannot be written is what failed, most likely: the first error is told.
            with contextlib.suppress(LedgerError):
                status, exit_code = _ending(error)
                _finish(session, run_id, status, _message(session, error), exit_code)
            _say_how_to_go_on(error, run_id)
            raise
        unchanged = last != "data" and not anew
        message = f"done until {last}" + (": nothing was to be done" if unchanged else "")
        _finish(session, run_id, "done", message, 0)
    return RunEnd(run=run_id, last=last, context=context, unchanged=unchanged)


def _released(session: Session, run_id: str) -> dict[str, Mapping[str, Any]]:
    """The outputs of the stages that led to a release of this run that still holds.

    What was released stays so until it is revoked or expires: that the champion has moved since
    makes no new dossier of it. A rejection given since sends it back to review.
    """
    reads, now = session.ledger.reads, datetime.now(UTC)
    endpoint, run = endpoint_of(session), reads.run(run_id)
    if run is None or list(session.overrides) != run["body"].get("overrides", []):
        # Asked for with other settings, it is not what was released.
        return {}
    standing = [
        row
        for row in reads.releases(session.project, run=run_id)
        if not unfit(reads, row, endpoint, now) and not rejected_since(reads, row)
    ]
    if not standing:
        return {}
    outputs = {name: reads.stage_outputs(run_id, name) for name in STAGES[:_REVIEWED]}
    return {name: found for name, found in outputs.items() if found is not None}


def has_stage(session: Session, name: str) -> bool:
    """Whether the stack has this stage; one that lacks it leaves it out."""
    funnel = session.funnel
    if name == "deploy":
        return funnel.has("apply_endpoint") or funnel.has("serve_endpoint")
    if name == "monitor":
        return funnel.has("build_profile") or funnel.has("measure_performance")
    hook = {"register": "register_version"}.get(name)
    return hook is None or funnel.has(hook)


def _execute(context: Context, stage: _Stage, *, again: bool, redo: bool) -> bool:
    """Do a stage, or find that it was done; whether anything came of it that was not there."""
    session, reads = context.session, context.session.ledger.reads
    inputs = stage.inputs(context)
    digest = digest_of(inputs) if inputs is not None else None
    if digest is not None:
        done = reads.finished_stage(context.run_id, stage.name)
        if done is not None and done["inputs"] == digest and not redo:
            context.restore(done["outputs"])
            session.reporter.done(stage.name, "done before", 0.0)
            return False
        earlier = None if again else reads.stage_by_inputs(session.project, stage.name, digest)
        if earlier is not None and _still_there(context, earlier["outputs"]):
            _reuse(context, stage.name, digest, earlier)
            return False
    return _perform(context, stage, digest)


def _still_there(context: Context, outputs: Mapping[str, Any]) -> bool:
    store = context.session.store
    return all(store.has(artifact) for artifact in artifacts_in(outputs))


def _reuse(context: Context, name: str, digest: str, earlier: Mapping[str, Any]) -> None:
    session = context.session
    payload = {
        "run": context.run_id,
        "stage": name,
        "inputs": digest,
        "outputs": earlier["outputs"],
        "of": earlier["id"],
    }
    session.ledger.append(
        session.project, "stage.reused", new_id("stage"), payload, run=context.run_id
    )
    context.restore(earlier["outputs"])
    session.reporter.done(name, f"same inputs as {short(earlier['run'])}: reused", 0.0)


def _perform(context: Context, stage: _Stage, digest: str | None) -> bool:
    session = context.session
    stage_id = new_id("stage")
    about = {"run": context.run_id, "stage": stage.name}
    session.ledger.append(
        session.project, "stage.started", stage_id, {**about, "inputs": digest}, run=context.run_id
    )
    session.reporter.stage(stage.name, "")
    started = perf_counter()
    try:
        result = stage.perform(context)
    except BaseException as error:
        failed = {**about, "message": _message(session, error), "seconds": perf_counter() - started}
        kind = f"stage.{_ending(error)[0]}"
        with contextlib.suppress(LedgerError):
            session.ledger.append(session.project, kind, stage_id, failed, run=context.run_id)
        raise
    seconds = perf_counter() - started
    ended = Entry(
        "stage.finished",
        stage_id,
        {**about, "outputs": dict(result.outputs), "seconds": seconds},
        context.run_id,
    )
    session.ledger.append_all(session.project, [*result.entries, ended])
    context.restore(result.outputs)
    session.reporter.done(stage.name, result.text, seconds)
    return result.anew


def _ending(error: BaseException) -> tuple[str, int]:
    """The status of what an error ended, and the exit code."""
    if isinstance(error, GateRefused):
        return "refused", error.exit_code
    if isinstance(error, ApprovalNeeded):
        return "waiting", error.exit_code
    return "failed", error.exit_code if isinstance(error, InterlockError) else 1


def _say_how_to_go_on(error: BaseException, run_id: str) -> None:
    """Name the run in what is told of its end, where nothing is said of what to do."""
    again = f"interlock run --resume {short(run_id)}"
    if isinstance(error, KeyboardInterrupt | BrokenPipeError):
        error.add_note(again)
    elif isinstance(error, HookFailed) and not error.hint:
        error.hint = f"mend it, then {again}"


def _message(session: Session, error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return session.redact(str(error) or type(error).__name__)


def _finish(session: Session, run_id: str, status: str, message: str, exit_code: int) -> None:
    payload = {"status": status, "message": message, "exit_code": exit_code}
    session.ledger.append(session.project, "run.finished", run_id, payload, run=run_id)
    keep_checkpoint(session)
