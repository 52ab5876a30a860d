"""``audit``: is the record whole, where does it stand, what does it say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interlock.cli import completing
from interlock.cli.options import Chosen, WholeLines, json_option, page_options, stack_options

if TYPE_CHECKING:
    from interlock.session import Session


@click.group(cls=WholeLines)
def audit() -> None:
    """Verify and read the ledger."""


@audit.command()
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Prove that the ledger extends this checkpoint.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The Ed25519 public key (PEM) that the checkpoint is signed with.",
)
@click.option("--artifacts", is_flag=True, help="Read every artifact, too, and check its digest.")
@json_option
@stack_options
def verify(
    chosen: Chosen, *, checkpoint: Path | None, key: Path | None, artifacts: bool, as_json: bool
) -> int:
    """Replay every event against every table; name the first that is wrong.

    Without a checkpoint from outside, a ledger that is whole is consistent, not anchored: a cut
    tail or a chain rewritten whole shows only against a checkpoint.
    """
    from interlock.cli.render import print_json
    from interlock.errors import DONE, FAILED
    from interlock.lifecycle.audit import verify_everything

    session = chosen.reading()
    report = verify_everything(session, checkpoint=checkpoint, key=key, artifacts=artifacts)
    if as_json:
        print_json(report)
        return DONE if report["ok"] else FAILED
    for problem in report["problems"]:
        click.echo(f"{click.style('✗', fg='red', bold=True)} {problem}")
    if report["ok"]:
        click.echo(
            f"{click.style('✓', fg='green')} {report['events']:,} events verify: {report['anchor']}"
        )
        return DONE
    click.echo("The record was altered, or damaged: compare it with a backup.", err=True)
    return FAILED


@audit.command()
@json_option
@stack_options
def head(chosen: Chosen, *, as_json: bool) -> int:
    """Print the ledger's id, and each project's last sequence and digest."""
    from interlock.cli.render import print_json
    from interlock.lifecycle.audit import heads

    found = heads(chosen.reading())
    if as_json:
        print_json(found["projects"])
        return 0
    click.echo(f"ledger {found['ledger']}")
    for project in found["projects"]:
        click.echo(f"{project['project']} {project['sequence']} {project['digest']}")
    return 0


@audit.command()
@click.option("--kind", help="Only events of this kind, for example release.made.")
@click.option(
    "--run",
    "run_id",
    metavar="RUN",
    help="Only events of this run.",
    shell_complete=completing.runs,
)
@click.option("--after", type=int, default=None, help="Only events after this sequence.")
@json_option
@page_options
@stack_options
def log(
    chosen: Chosen,
    *,
    kind: str | None,
    run_id: str | None,
    after: int | None,
    as_json: bool,
    limit: int,
) -> int:
    """Print events, the latest last."""
    from interlock.cli.render import print_json, when
    from interlock.cli.run import find_run
    from interlock.ids import short

    session = chosen.reading()
    run = find_run(session, run_id)["id"] if run_id is not None else None
    events = session.ledger.reads.events(
        project=session.project, kind=kind, run=run, after=after, limit=limit
    )
    if as_json:
        print_json([dict(event) for event in events])
        return 0
    if not events:
        click.echo(_none(session, kind))
    for event in events:
        click.echo(
            f"{event['sequence']:>6}  {when(event['at'])}  {event['kind']:<20} "
            f"{short(event['subject']):<24} {event['actor']}"
        )
    return 0


def _none(session: Session, kind: str | None) -> str:
    """That there are no such events, and whether a kind of this name ever happened here."""
    from interlock.plugins.discover import nearest

    known = session.ledger.reads.kinds(session.project)
    if kind is None or kind in known:
        return "No such events."
    return f"No event here is of the kind {kind!r}{nearest(kind, known)}"
