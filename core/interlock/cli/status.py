"""``status``: the project on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from interlock.cli.options import Chosen, json_option, stack_options

if TYPE_CHECKING:
    from interlock.session import Session


@click.command()
@json_option
@stack_options
def status(chosen: Chosen, *, as_json: bool) -> int:
    """The project on one screen: what is served, the latest run, what waits, what was found."""
    from interlock.cli.render import print_json

    session = chosen.session()
    facts = gather(session)
    if as_json:
        print_json(facts)
        return 0
    _print(session, facts)
    return 0


def gather(session: Session) -> dict[str, Any]:
    """What the screen shows, as JSON values."""
    from interlock.lifecycle.endpoints import current_deployment, status_of

    reads = session.ledger.reads
    current = current_deployment(session)
    now = status_of(session, current) if current else None
    latest = reads.runs(project=session.project, stack=session.stack.name, limit=1)
    waiting = reads.runs(
        project=session.project, stack=session.stack.name, status="waiting", limit=20
    )
    windows = reads.windows(project=session.project, limit=1)
    champion = reads.champion(session.project, session.stack.name, session.stack.endpoint)
    return {
        "project": session.project,
        "stack": session.stack.name,
        "endpoint": session.stack.endpoint,
        "address": current.address if current else None,
        "answers": bool(now and now.ready),
        "detail": now.detail if now else "nothing is deployed",
        "release": dict(champion) if champion else None,
        "latest_run": dict(latest[0]) if latest else None,
        "waiting": [dict(row) for row in waiting],
        "latest_window": dict(windows[0]) if windows else None,
    }


def _print(session: Session, facts: dict[str, Any]) -> None:
    from interlock.cli.render import digest, when
    from interlock.ids import short

    def line(name: str, text: str, colour: str | None = None) -> None:
        click.echo(f"{name:<10} {click.style(text, fg=colour)}")

    line("project", f"{facts['project']}, stack {facts['stack']} ({session.stack.file})")
    if facts["answers"]:
        line("endpoint", f"{facts['endpoint']} answers at {facts['address']}", "green")
    else:
        line("endpoint", f"{facts['endpoint']}: {facts['detail']}", "yellow")
    release = facts["release"]
    if release:
        line(
            "serves",
            f"{short(release['id'])}, version {release['number']}, "
            f"model {digest(release['model'])}, since {when(release['at'])}",
        )
    run = facts["latest_run"]
    if run:
        colour = {"done": "green", "waiting": "yellow"}.get(run["status"], "red")
        line("latest run", f"{short(run['id'])} {run['status']} by {run['actor']}", colour)
    for row in facts["waiting"]:
        line("waits", f'interlock approve {short(row["id"])} --reason "..."', "yellow")
    window = facts["latest_window"]
    if window:
        alerts = window["alerts"]
        text = f"{window['rows']:,} rows until {window['end']}, {alerts} alerts"
        line("monitoring", text, "red" if alerts else "green")
