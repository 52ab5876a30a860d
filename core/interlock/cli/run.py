"""``run`` and the stages one by one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from interlock.cli import completing
from interlock.cli.following import following
from interlock.cli.options import Chosen, json_option, stack_options
from interlock.cli.report import TerminalReporter
from interlock.cli.watching import trace_option, watching

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.lifecycle.engine import RunEnd
    from interlock.session import Session

STAGES = ("data", "train", "validate", "register", "review", "deploy", "monitor")


@click.command()
@click.option("--until", type=click.Choice(STAGES), default=None, help="The last stage to do.")
@click.option(
    "--resume", "resumed", metavar="RUN", help="Go on with a run.", shell_complete=completing.runs
)
@click.option("--again", is_flag=True, help="Do stages again whose inputs have not changed.")
@click.option("--explain", metavar="HOOK", help="Say who was asked HOOK, and why.")
@trace_option
@json_option
@stack_options
def run(
    chosen: Chosen,
    *,
    until: str | None,
    resumed: str | None,
    again: bool,
    explain: str | None,
    trace: Path | None,
    as_json: bool,
) -> int:
    """Take a model through its life: data, train, validate, register, review, deploy, monitor.

    A run that a gate refuses exits with 3, one that waits for an approval or whose rollout holds
    with 4, one whose rollout went back, now or when it was last run, or whose monitoring raises an
    alert with 5.
    """
    from interlock.lifecycle.engine import resume_run, start_run

    with watching(chosen, trace=trace, explain=explain, as_json=as_json) as watch:
        with TerminalReporter() as reporter:
            session = chosen.session(reporter)
            if resumed is not None:
                found = find_run(session, resumed)
                session = chosen.session_of(found, reporter)
                end = resume_run(session, found["id"], until=until, again=again)
            else:
                end = start_run(session, until=until or "monitor", again=again)
        more = {"explain": watch.explained(explain)} if watch and explain else {}
        return report(end, as_json=as_json, more=more)


def _stage_command(stage: str, summary: str) -> click.Command:
    """A command that takes a run up to one stage; train begins one."""

    @click.command(name=stage, help=summary)
    @click.argument("run_id", metavar="[RUN]", required=False, shell_complete=completing.runs)
    @click.option("--again", is_flag=True, help="Do it again though its inputs have not changed.")
    @trace_option
    @json_option
    @stack_options
    def command(
        chosen: Chosen, *, run_id: str | None, again: bool, trace: Path | None, as_json: bool
    ) -> int:
        with watching(chosen, trace=trace):
            return advance(chosen, stage, run_id, again=again, as_json=as_json)

    return command


def advance(chosen: Chosen, stage: str, run_id: str | None, *, again: bool, as_json: bool) -> int:
    """Take a run, the latest where none is named, up to a stage."""
    from interlock.errors import UsageError
    from interlock.lifecycle.engine import has_stage, resume_run, start_run

    with TerminalReporter() as reporter:
        session = chosen.session(reporter)
        if stage == "train" and run_id is None:
            end = start_run(session, until=stage, again=again)
        else:
            found = find_run(session, run_id)
            session = chosen.session_of(found, reporter)
            if not has_stage(session, stage):
                msg = f"the stack {session.stack.name!r} names no plugin for {stage}"
                raise UsageError(msg, hint=f"name one in the stack file: {stage} = ...")
            # Typing `deploy` is the word that a release which went back here is tried again.
            insists = stage == "deploy"
            end = resume_run(session, found["id"], until=stage, again=again, insists=insists)
    return report(end, as_json=as_json)


train = _stage_command("train", "Begin a run and take it up to a candidate, or train in RUN again.")
validate = _stage_command("validate", "Take RUN, or the latest run, up to its checks.")
register = _stage_command("register", "Take RUN, or the latest run, up to a registered version.")
deploy = _stage_command("deploy", "Take RUN, or the latest run, up to a serving endpoint.")


def find_run(session: Session, text: str | None) -> Any:
    """The run that an id names, whole or short, or a version's run; the stack's latest for None.

    Raises:
        UsageError: there is none.
    """
    from interlock.errors import UsageError

    reads = session.ledger.reads
    if text is None:
        rows = reads.runs(project=session.project, stack=session.stack.name, limit=1)
        if not rows:
            msg = f"{session.project} has no runs in the stack {session.stack.name!r} yet"
            raise UsageError(msg, hint="interlock run")
        return rows[0]
    table, row = reads.find(text, project=session.project)
    if table == "runs":
        return row
    if row.get("run"):
        return reads.run(row["run"])
    msg = f"{text} is of {table}, not a run"
    raise UsageError(msg, hint="interlock runs")


def report(end: RunEnd, *, as_json: bool, more: Mapping[str, Any] = MappingProxyType({})) -> int:
    """Say how a run ended, and what to type next; gives the exit code."""
    from interlock.errors import DONE, FOUND
    from interlock.ids import short

    alerts = end.context.outputs.get("alerts") or 0
    rollout = end.context.outputs.get("rollout")
    left = end.context.outputs.get("gone_back")
    code = DONE
    if rollout:
        from interlock.cli.rollout import code_of

        code = code_of(rollout["status"], rollout["phase"])
    if as_json:
        from interlock.cli.render import print_json

        said = {"run": end.run, "last": end.last, "unchanged": end.unchanged}
        print_json({**said, "outputs": end.context.outputs, **more})
    else:
        click.echo(f"{short(end.run)} is done until {end.last}.", err=True)
        if left:
            click.echo(_left(end, left), err=True)
        elif end.unchanged and (release := end.context.outputs.get("release")):
            number = f" (version {release['number']})" if release["number"] else ""
            was = f"this model is released already, as {short(release['id'])}{number}"
            click.echo(f"Nothing to do: {was}.", err=True)
        after = _next_stage(end)
        if code:
            after = "interlock rollout status"
        elif rollout and rollout["status"] == "open":
            after = "interlock rollout watch"
        if alerts:
            after = f"interlock show {short(end.run)}"
        if after and not left:
            following(after)
    return FOUND if alerts or left else code


def _next_stage(end: RunEnd) -> str:
    """The command of the next stage that the stack has; empty after the last one."""
    from interlock.lifecycle.engine import has_stage

    if end.last not in STAGES[1:]:
        return ""
    after = STAGES[STAGES.index(end.last) + 1 :]
    session = end.context.session
    return next((f"interlock {name}" for name in after if has_stage(session, name)), "")


def _left(end: RunEnd, found: Mapping[str, Any]) -> str:
    """Why a release that went back here was not deployed again, and what to do instead."""
    from interlock.cli.render import when
    from interlock.ids import short

    outputs = end.context.outputs
    live = outputs["deployment"]["targets"][0]["release"]["id"] if "deployment" in outputs else ""
    serves = f"; {short(live)} serves on" if live else ""
    run = short(outputs["release"]["run"])
    return (
        f"Not deployed: {short(found['release'])} went back here at {when(found['at'])} "
        f"({found['reason']}){serves}. Change rows, code or settings, "
        f"or try it again with interlock deploy {run}."
    )
