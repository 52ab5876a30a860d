"""``show``: what the ledger knows of one id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from interlock.cli import completing
from interlock.cli.options import Chosen, json_option, stack_options

if TYPE_CHECKING:
    from interlock.session import Session


@click.command()
@click.argument("identifier", metavar="ID", shell_complete=completing.everything)
@click.option(
    "--card", "card", is_flag=True, help="Lay out the model card of a run, and print where."
)
@click.option("--concerns", is_flag=True, help="Print what the checks of a run found worth a look.")
@json_option
@stack_options
def show(chosen: Chosen, *, identifier: str, card: bool, concerns: bool, as_json: bool) -> int:
    """Show a run, version, release, deployment, approval, window or digest.

    An id may be written short, as the listings show it; a digest by its first digits.
    """
    from interlock.cli.render import print_json

    session = chosen.reading()
    table, row = session.ledger.reads.find(identifier, project=session.project)
    if card:
        return _show_card(session, row["id"] if table == "runs" else row.get("run"))
    if concerns:
        return _show_concerns(session, row["id"] if table == "runs" else row.get("run"))
    related = _related(session, row["id"]) if table == "runs" else {}
    if as_json:
        print_json({**row, **related})
        return 0
    _print_row(row)
    if table == "runs":
        _print_related(row, related)
    return 0


def _show_card(session: Session, run_id: str | None) -> int:
    from interlock.codec import decode
    from interlock.errors import UsageError
    from interlock.ids import short
    from interlock_hookspecs import Artifact

    held = session.ledger.reads.latest_review(run_id) if run_id else None
    if held is None or not held["body"]["card"]:
        msg = "there is no model card: the run was not reviewed, or its stack renders none"
        raise UsageError(msg, hint='name "card" in govern, then interlock review')
    place = session.home / "cards" / short(held["run"])
    folder = session.store.unfold(decode(Artifact, held["body"]["card"]), place)
    for path in sorted(folder.iterdir()):
        click.echo(path)
    return 0


def _show_concerns(session: Session, run_id: str | None) -> int:
    for row in session.ledger.reads.checks(run_id) if run_id else ():
        if row["body"]["concern"]:
            click.echo(f"{row['key']}: {row['body']['concern']}")
    return 0


def _related(session: Session, run_id: str) -> dict[str, list[Mapping[str, Any]]]:
    reads = session.ledger.reads
    return {
        "stages": list(reads.stages(run_id)),
        "checks": list(reads.checks(run_id)),
        "verdicts": list(reads.verdicts(run_id)),
        "approvals": list(reads.approvals(project=session.project, run=run_id, limit=None)),
        "releases": list(reads.releases(project=session.project, run=run_id)),
    }


def _print_row(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        if name != "body" and value is not None:
            click.echo(f"{click.style(f'{name:<12}', dim=True)} {value}")


def _print_related(run: Mapping[str, Any], related: Mapping[str, Any]) -> None:
    from interlock.cli.render import print_table, when

    facts = run["body"].get("facts", {})
    for name in ("git.commit", "git.dirty", "python", "machine", "plugins"):
        if name in facts:
            click.echo(f"{click.style(f'{name:<12}', dim=True)} {facts[name]}")
    if related["stages"]:
        print_table(
            ["stage", "status", "seconds", "message"],
            [[s["stage"], s["status"], s["seconds"], s["message"]] for s in related["stages"]],
        )
    overall = [check for check in related["checks"] if "[" not in check["key"]]
    if overall:
        print_table(
            ["check", "value", "low", "high", "n"],
            [[c["key"], c["value"], c["low"], c["high"], c["n"]] for c in overall],
        )
    if related["verdicts"]:
        print_table(
            ["judged", "verdict", "why"],
            [[v["subject"], v["decision"], v["reason"]] for v in related["verdicts"]],
        )
    for approval in related["approvals"]:
        body = approval["body"]
        click.echo(
            f"{when(body['at'])} {body['actor']} ({body['verified']}): "
            f"{body['decision']}, {body['reason']}"
        )
    for release in related["releases"]:
        click.echo(f"release {release['id']}{' (revoked)' if release['revoked_at'] else ''}")
