"""``runs`` and ``models``: listings of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from interlock.cli import completing
from interlock.cli.exports import export
from interlock.cli.following import following, here
from interlock.cli.imports import import_model
from interlock.cli.options import Chosen, WholeLines, json_option, page_options, stack_options
from interlock.cli.reconcile import reconcile

if TYPE_CHECKING:
    from interlock.session import Session


@click.command()
@click.option("--status", type=click.Choice(["running", "done", "refused", "waiting", "failed"]))
@click.option("--actor", help="Who started it.")
@click.option(
    "--model", metavar="DIGEST", help="The model it made.", shell_complete=completing.models
)
@click.option("--since", type=click.DateTime(), help="Not before this time, UTC.")
@click.option(
    "--before",
    metavar="RUN",
    help="Older than this run: the next page.",
    shell_complete=completing.runs,
)
@click.option("--every-stack", is_flag=True, help="Of all stacks, not the chosen one.")
@json_option
@page_options
@stack_options
def runs(
    chosen: Chosen,
    *,
    status: str | None,
    actor: str | None,
    model: str | None,
    since: datetime | None,
    before: str | None,
    every_stack: bool,
    as_json: bool,
    limit: int,
) -> int:
    """List runs, the latest first."""
    from interlock.cli.render import digest, print_rows, when
    from interlock.cli.run import find_run
    from interlock.ids import short
    from interlock.processes import was_killed

    session = chosen.reading()
    found = session.ledger.reads.runs(
        project=session.project,
        status=status,
        stack=None if every_stack else session.stack.name,
        actor=actor,
        model=_whole_digest(session, model),
        since=since,
        before=find_run(session, before)["id"] if before is not None else None,
        limit=limit,
    )
    rows = [{**row, "killed": was_killed(row)} for row in found]
    columns = [
        ("run", lambda row: short(row["id"])),
        ("status", lambda row: "killed" if row["killed"] else row["status"]),
        ("stage", lambda row: row["stage"]),
        ("stack", lambda row: row["stack"]),
        ("actor", lambda row: row["actor"]),
        ("model", lambda row: digest(row["model"])),
        ("started", lambda row: when(row["started_at"])),
        ("message", _message),
    ]
    chosen_of = any((status, actor, model, since, before))
    empty = "No such runs." if chosen_of else here("No runs. next: interlock run")
    print_rows(rows, columns, as_json=as_json, empty=empty)
    if len(rows) == limit and not as_json:
        last = short(rows[-1]["id"])
        following(f"interlock runs --before {last}")
    return 0


def _message(run: Mapping[str, Any]) -> str:
    from interlock.ids import short

    if run["killed"]:
        return here(f"interlock run --resume {short(run['id'])} goes on")
    return (run["message"] or "").partition("\n")[0][:60]


@click.group(cls=WholeLines, invoke_without_command=True)
@click.option("--from-registry", is_flag=True, help="Ask the registry, not the ledger.")
@click.option(
    "--model",
    metavar="DIGEST",
    help="Only versions of this model.",
    shell_complete=completing.models,
)
@click.option(
    "--run",
    "run_id",
    metavar="RUN",
    help="Only versions that this run registered.",
    shell_complete=completing.runs,
)
@json_option
@page_options
@stack_options
@click.pass_context
def models(
    context: click.Context,
    chosen: Chosen,
    *,
    from_registry: bool,
    model: str | None,
    run_id: str | None,
    as_json: bool,
    limit: int,
) -> int:
    """List registered versions, the latest first; or do one of the commands below."""
    if context.invoked_subcommand is not None:
        return 0
    from interlock.cli.render import digest, print_rows, when
    from interlock.cli.run import find_run
    from interlock.codec import encode
    from interlock.ids import short

    session = chosen.reading()
    if from_registry:
        page = session.funnel.one("list_versions", name=session.project, cursor=None, limit=limit)
        rows = [
            {**encode(item), "model": item.model.digest, "run": item.facts.get("run")}
            for item in page.items
        ]
    else:
        champion = session.ledger.reads.alias(session.project, session.project, "champion")
        rows = [
            {
                **row,
                "aliases": ["champion"] if champion and champion["version"] == row["id"] else [],
            }
            for row in session.ledger.reads.versions(
                project=session.project,
                model=_whole_digest(session, model),
                run=find_run(session, run_id)["id"] if run_id is not None else None,
                limit=limit,
            )
        ]
    columns = [
        ("version", lambda row: short(row["id"])),
        ("name", lambda row: row["name"]),
        ("number", lambda row: row["number"]),
        ("aliases", lambda row: ", ".join(row["aliases"]) or None),
        ("model", lambda row: digest(row["model"])),
        ("run", lambda row: short(row["run"]) if row["run"] else None),
        ("at", lambda row: when(row["at"])),
    ]
    empty = "No such versions." if model or run_id else here("No versions. next: interlock run")
    print_rows(rows, columns, as_json=as_json, empty=empty)
    return 0


models.add_command(export)
models.add_command(import_model)
models.add_command(reconcile)


def _whole_digest(session: Session, text: str | None) -> str | None:
    """A model's digest from what a listing shows of it."""
    if text is None:
        return None
    from interlock.errors import UsageError

    table, row = session.ledger.reads.find(text, project=session.project)
    if not row.get("model"):
        msg = f"{text} is of {table}, not a model"
        raise UsageError(msg)
    return str(row["model"])
