"""``approve``, ``reject`` and ``revoke``: what people decide."""

from __future__ import annotations

import click

from interlock.cli import completing
from interlock.cli.following import following
from interlock.cli.options import Chosen, stack_options

_REASON = click.option("--reason", required=True, help="In your words; it stays on record.")


@click.command()
@click.argument("subject", metavar="RUN|VERSION", shell_complete=completing.subjects)
@_REASON
@stack_options
def approve(chosen: Chosen, *, subject: str, reason: str) -> int:
    """Say yes to the dossier of a run, or of the run that a version came from.

    Nothing is released by it alone: `interlock run --resume RUN` reviews again.
    """
    return _decide(chosen, subject, "approve", reason)


@click.command()
@click.argument("subject", metavar="RUN|VERSION", shell_complete=completing.subjects)
@_REASON
@stack_options
def reject(chosen: Chosen, *, subject: str, reason: str) -> int:
    """Say no to the dossier of a run, or of the run that a version came from."""
    return _decide(chosen, subject, "reject", reason)


def _decide(chosen: Chosen, subject: str, decision: str, reason: str) -> int:
    from interlock.cli.run import find_run
    from interlock.ids import short
    from interlock.lifecycle.people import decide

    session = chosen.reading()
    run = find_run(session, subject)
    approval = decide(session, run, decision=decision, reason=reason)
    done = {"approve": "approved", "reject": "rejected"}[decision]
    own = ", who also started the run" if approval.self_approved else ""
    click.echo(
        f"{approval.actor} ({approval.verified}{own}) {done} "
        f"dossier {approval.dossier[:19]} of {short(run['id'])}."
    )
    if decision == "approve":
        following(f"interlock run --resume {short(run['id'])}")
    return 0


@click.command()
@click.argument("release_id", metavar="RELEASE", shell_complete=completing.releases)
@_REASON
@stack_options
def revoke(chosen: Chosen, *, release_id: str, reason: str) -> int:
    """Withdraw a release: servers drop it, and nothing serves it again."""
    from interlock.errors import UsageError
    from interlock.ids import short
    from interlock.lifecycle.people import revoke as withdraw

    session = chosen.reading()
    table, row = session.ledger.reads.find(release_id, project=session.project)
    if table != "releases":
        msg = f"{release_id} is of {table}, not a release"
        raise UsageError(msg, hint="interlock show RUN names its release")
    withdraw(session, row, reason=reason)
    click.echo(f"{short(row['id'])} is revoked.")
    following("interlock rollback")
    return 0
