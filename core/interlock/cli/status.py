"""``status``: the project on one screen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from interlock.cli.following import here
from interlock.cli.options import Chosen, json_option, stack_options

if TYPE_CHECKING:
    from interlock.session import Session
    from interlock_hookspecs import Deployment, EndpointStatus


@click.command()
@json_option
@stack_options
def status(chosen: Chosen, *, as_json: bool) -> int:
    """The project on one screen: what is served, the latest run, what waits, what was found."""
    from interlock.cli.render import print_json

    session = chosen.reading()
    facts = gather(session)
    if as_json:
        print_json(facts)
        return 0
    _print(session, facts)
    return 0


def gather(session: Session) -> dict[str, Any]:
    """What the screen shows, as JSON values."""
    from interlock.lifecycle.endpoints import current_deployment
    from interlock.lifecycle.rollouts.state import open_rollout
    from interlock.lifecycle.statuses import asked_status
    from interlock.processes import was_killed

    reads = session.ledger.reads
    current = current_deployment(session)
    now, unknown = asked_status(session, current) if current else (None, "")
    latest = reads.runs(project=session.project, stack=session.stack.name, limit=1)
    waiting = reads.runs(
        project=session.project, stack=session.stack.name, status="waiting", limit=20
    )
    windows = reads.windows(project=session.project, limit=1)
    rollout = open_rollout(session)
    champion = reads.champion(session.project, session.stack.name, session.stack.endpoint)
    return {
        "project": session.project,
        "stack": session.stack.name,
        "endpoint": session.stack.endpoint,
        "address": current.address if current else None,
        "answers": bool(now and now.ready),
        "serving": list(now.serving) if now else [],
        "detail": unknown or _detail(now, current),
        "release": {**champion, "since": _since(session, champion)} if champion else None,
        "rollout": {
            "id": rollout.id,
            "release": rollout.release,
            "strategy": rollout.plan.strategy,
            "phase": rollout.phase,
            "now": rollout.text,
        }
        if rollout
        else None,
        "latest_run": {**latest[0], "killed": was_killed(latest[0])} if latest else None,
        "waiting": _undecided(session, waiting),
        "latest_window": dict(windows[0]) if windows else None,
    }


def _undecided(session: Session, waiting: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of runs that wait for a person the latest of each dossier, unless it was released since.

    ``approved`` says that as many people have approved it as the run's policy asks, so that only
    a review is missing.
    """
    found: dict[str, dict[str, Any]] = {}
    reads = session.ledger.reads
    for row in waiting:
        dossier = row["dossier"]
        if dossier in found:
            continue
        (held, *_) = reads.reviews(session.project, dossier=dossier, limit=1)
        if held["outcome"] == "released":
            continue
        said = reads.approvals(project=session.project, dossier=dossier, limit=None)
        yes = [one for one in said if one["decision"] == "approve"]
        enough = len({one["actor"] for one in yes}) >= row["body"]["policy"]["approvals"]
        anew = any(one["sequence"] > held["sequence"] for one in yes)
        found[dossier] = {**row, "approved": enough and anew}
    return list(found.values())


def _since(session: Session, champion: Mapping[str, Any]) -> str:
    """When a release went live that is: it may have been made long before, and been away."""
    reads, stack = session.ledger.reads, session.stack
    made = reads.events(session.project, subject=champion["id"], after=0, limit=1)
    lived = reads.endpoint_history(
        session.project, stack.name, stack.endpoint, after=made[0]["sequence"] if made else 0
    )
    lines = itertools.takewhile(lambda line: line["release"] == champion["id"], reversed(lived))
    return str([champion["at"], *(line["at"] for line in lines)][-1])


def _detail(now: EndpointStatus | None, current: Deployment | None) -> str:
    from interlock.lifecycle.elsewhere import is_out_of_reach

    if now is None or current is None:
        return "nothing is deployed"
    if not now.live and not now.silent and not is_out_of_reach(current):
        return f"{now.detail}; interlock deployments --start brings it back"
    return now.detail


def _print(session: Session, facts: dict[str, Any]) -> None:
    from interlock.cli.render import digest, when
    from interlock.ids import short

    def line(name: str, text: str, colour: str | None = None) -> None:
        click.echo(f"{name:<10} {click.style(text, fg=colour)}")

    line("project", f"{facts['project']}, stack {facts['stack']} ({session.stack.file})")
    serving = facts["serving"]
    if facts["answers"]:
        but = f"; {here(facts['detail'])}" if facts["detail"] else ""
        text = f"{facts['endpoint']} answers at {facts['address']}{but}"
        line("endpoint", text, "yellow" if but else "green")
    else:
        line("endpoint", f"{facts['endpoint']}: {here(facts['detail'])}", "yellow")
    release = facts["release"]
    # What a server has dropped it does not serve, whatever is live on record.
    serves = facts["answers"] and (not (release and serving) or release["id"] in serving)
    if facts["answers"] and not serves:
        line("serves", ", ".join(map(short, serving)), "yellow")
    if release:
        line(
            "serves" if serves else "served",
            f"{short(release['id'])}, version {release['number']}, "
            f"model {digest(release['model'])}, since {when(release['since'])}",
        )
    rollout = facts["rollout"]
    if rollout:
        text = f"{rollout['strategy']} of {short(rollout['release'])}, {rollout['phase']}, "
        line("rollout", text + rollout["now"], "yellow")
        command = 'promote --reason "..."' if rollout["phase"] == "holding" else "watch"
        line("waits", here(f"interlock rollout {command}"), "yellow")
    run = facts["latest_run"]
    if run:
        colour = {"done": "green", "waiting": "yellow", "running": "cyan"}
        status = "killed" if run["killed"] else run["status"]
        text = f"{short(run['id'])} {status} by {run['actor']}"
        line("latest run", text, colour.get(status, "red"))
    if run and run["killed"]:
        line("waits", here(f"interlock run --resume {short(run['id'])}"), "yellow")
    for row in facts["waiting"]:
        decided = f"interlock run --resume {short(row['id'])}"
        asked = f'interlock approve {short(row["id"])} --reason "..."'
        line("waits", here(decided if row["approved"] else asked), "yellow")
    window = facts["latest_window"]
    if window:
        alerts = window["alerts"]
        text = f"{window['rows']:,} rows until {window['end']}, {alerts} alerts"
        line("monitoring", text, "red" if alerts else "green")
