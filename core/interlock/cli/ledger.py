"""``ledger``: the database behind the record."""

from __future__ import annotations

import click

from interlock.cli.options import Chosen, stack_options


@click.group()
def ledger() -> None:
    """Look after the ledger's database."""


@ledger.command()
@stack_options
def upgrade(chosen: Chosen) -> int:
    """Migrate the database of a team to this version; a SQLite file migrates by itself.

    A PostgreSQL ledger is migrated by nobody but this command, so that no client changes it
    under the others.
    """
    from interlock.ledger import upgrade as migrate
    from interlock_hookspecs import reveal

    before, now = migrate(reveal(chosen.session().stack.ledger))
    click.echo(f"{before} already: nothing to do." if before == now else f"{before} to {now}.")
    return 0
