"""``rollback``, ``serve``, ``deployments`` and ``undeploy``."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import click

from interlock.cli.following import here
from interlock.cli.options import Chosen, json_option, page_options, stack_options

if TYPE_CHECKING:
    from interlock.session import Session


@click.command()
@stack_options
def rollback(chosen: Chosen) -> int:
    """Go back to the latest release that was live before and is still good.

    Revoked and expired releases, and those rolled back from, are passed over. A release that is
    being rolled out is taken out. Where the ledger is away, the server goes back by itself.
    """
    from interlock.cli.report import TerminalReporter
    from interlock.errors import LedgerError, Tampered
    from interlock.ids import new_id, short
    from interlock.lifecycle import rollback as going_back

    with TerminalReporter() as reporter:
        session = chosen.session(reporter)
        try:
            with session.workspace(new_id("rollback")) as workspace:
                deployment = going_back.rollback(session, workspace)
        except Tampered:
            raise
        except LedgerError as error:
            reporter.warn(str(error))
            release = going_back.rollback_without_ledger(session)
            click.echo(
                f"{session.stack.endpoint} is back on {short(release.id)} (version "
                f"{release.number or '–'}); it is recorded when the ledger is there again"
            )
            return 0
    release = deployment.targets[0].release
    click.echo(
        f"{deployment.endpoint.name} is back on {short(release.id)} "
        f"(version {release.number or '–'}) at {deployment.address}"
    )
    return 0


@click.command()
@stack_options
def serve(chosen: Chosen) -> int:
    """Serve what was deployed from this terminal, until Ctrl-C."""
    from interlock.errors import UsageError
    from interlock.ids import short
    from interlock.lifecycle.endpoints import adopt, current_deployment, renew, verify_targets
    from interlock.serving import process
    from interlock.serving.host import serve as serve_here

    session = chosen.reading()
    current = current_deployment(session)
    if current is None:
        msg = f"nothing is deployed at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock run")
    if process.is_running(current):
        msg = f"{current.endpoint.name} is served already, at {current.address}"
        raise UsageError(msg, hint="interlock undeploy ends it")
    verify_targets(session, current, what="serve")
    renew(session, current)
    current = current_deployment(session) or current

    def listening(address: str) -> None:
        adopt(session, current, address)
        name = current.endpoint.name
        click.echo(f"{name} ({short(current.id)}) answers at {address}; Ctrl-C ends it", err=True)

    process.folder(session).mkdir(parents=True, exist_ok=True)
    # A server lives long, and none of its requests waits for a look through half a million objects:
    # Python's own thresholds, in place of a command's.
    gc.set_threshold(700, 10, 10)
    serve_here(session, current.id, listening=listening)
    return 0


@click.command()
@click.option(
    "--start", is_flag=True, help="Start a dead or hanging server again with what was released."
)
@click.option(
    "--restart", is_flag=True, help="Start the server anew, with the settings and secrets of now."
)
@click.option("--history", is_flag=True, help="List what was live at this stack's endpoint.")
@click.option(
    "--status",
    type=click.Choice(["intended", "applied", "failed", "removed"]),
    help="Only those of this status.",
)
@json_option
@page_options
@stack_options
def deployments(
    chosen: Chosen,
    *,
    start: bool,
    restart: bool,
    history: bool,
    status: str | None,
    as_json: bool,
    limit: int,
) -> int:
    """List endpoints: what each serves, and whether it answers now."""
    from interlock.cli.render import print_rows, when
    from interlock.cli.report import TerminalReporter
    from interlock.ids import short
    from interlock.lifecycle import endpoints

    if history:
        return _history(chosen.reading(), limit, as_json=as_json)
    with TerminalReporter() as reporter:
        if start or restart:
            session = chosen.session(reporter)
            endpoints.restart(session, anew=restart)
        else:
            session = chosen.reading(reporter)
    rows = [
        _with_status(session, row)
        for row in session.ledger.reads.deployments(
            project=session.project, status=status, limit=limit
        )
    ]
    columns = [
        ("deployment", lambda row: short(row["id"])),
        ("stack", lambda row: row["stack"]),
        ("endpoint", lambda row: row["endpoint"]),
        ("now", lambda row: row["now"]),
        ("release", lambda row: short(row["release"]) if row["release"] else None),
        ("address", lambda row: row["address"]),
        *([("grpc", lambda row: row.get("grpc"))] if any(row.get("grpc") for row in rows) else []),
        ("since", lambda row: when(row["at"])),
        ("detail", lambda row: here(row["detail"])),
    ]
    empty = (
        f"No deployment is {status}."
        if status
        else here("Nothing is deployed. next: interlock run")
    )
    print_rows(rows, columns, as_json=as_json, empty=empty)
    return 0


def _history(session: Session, limit: int, *, as_json: bool) -> int:
    from interlock.cli.render import print_rows, when
    from interlock.ids import short

    stack = session.stack
    lived = session.ledger.reads.endpoint_history(session.project, stack.name, stack.endpoint)
    columns = [
        ("live since", lambda row: when(row["at"])),
        ("release", lambda row: short(row["release"])),
        ("by", lambda row: row["reason"]),
        ("deployment", lambda row: short(row["deployment"])),
    ]
    rows = list(reversed(lived))[:limit]
    print_rows(rows, columns, as_json=as_json, empty="Nothing was ever deployed.")
    return 0


def _with_status(session: Session, row: Any) -> dict[str, Any]:
    from interlock.codec import decode
    from interlock.lifecycle.elsewhere import is_out_of_reach
    from interlock.lifecycle.statuses import asked_status
    from interlock_hookspecs import Deployment

    if row["status"] != "applied":
        detail = (row["message"] or "") if row["status"] == "failed" else ""
        return {**row, "now": row["status"], "detail": detail}
    deployment = decode(Deployment, row["body"])
    status, why = asked_status(session, deployment)
    if status is None:
        # The rows that can be asked are shown all the same.
        return {**row, "now": "unknown", "detail": why}
    now = "answers" if status.ready else "live" if status.live else "dead"
    if now == "dead" and is_out_of_reach(deployment):
        now = "elsewhere"
    detail, grpc = status.detail, status.grpc or None
    if status.silent:
        now = "silent"
        detail = f"{detail}; interlock deployments --start replaces it, should it go on"
    elif now == "dead":
        detail = f"{detail}; interlock deployments --start brings it back"
    return {**row, "now": now, "serving": list(status.serving), "grpc": grpc, "detail": detail}


@click.command()
@stack_options
def undeploy(chosen: Chosen) -> int:
    """End the endpoint of a stack, after its requests in flight."""
    from interlock.cli.report import TerminalReporter
    from interlock.lifecycle.endpoints import current_deployment, end_deployment
    from interlock.lifecycle.rollouts.begin import close
    from interlock.lifecycle.rollouts.state import open_rollout

    with TerminalReporter() as reporter:
        session = chosen.session(reporter)
        current = current_deployment(session)
        if current is None:
            click.echo(f"Nothing is deployed at {session.stack.endpoint}.")
            return 0
        rollout = open_rollout(session)
        if rollout is not None:
            close(session, rollout, "undeployed")
        end_deployment(session, current, reason="undeploy")
    where = f" at {current.address}" if current.address else ""
    click.echo(f"{current.endpoint.name}{where} is ended.")
    return 0
