"""``ledger``: the database behind the record."""

from __future__ import annotations

import click

from interlock.cli.options import Chosen, WholeLines, stack_options


@click.group(cls=WholeLines)
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

    before, now = migrate(chosen.reading().stack.address("ledger"))
    click.echo(f"{before} already: nothing to do." if before == now else f"{before} to {now}.")
    return 0


@ledger.command()
@click.argument("role", metavar="ROLE")
@click.option("--erase", is_flag=True, help="Let it also remove payloads, for good and on record.")
@click.option("--sql", "as_sql", is_flag=True, help="Print the statements, and run none of them.")
@stack_options
def grant(chosen: Chosen, *, role: str, erase: bool, as_sql: bool) -> int:
    """Let ROLE of the PostgreSQL server work with the ledger: read, append, and no more.

    For the owner of the ledger's tables, who makes the ledger where there is none yet. The role
    exists, owns nothing, and cannot change or delete an event. Say it again after an upgrade.
    """
    from interlock.ledger import roles
    from interlock.ledger.engine import parse_url, place

    session = chosen.reading()
    url = parse_url(session.stack.address("ledger"))
    roles.refuse_file(place(url), url.get_backend_name())
    if as_sql:
        click.echo("".join(f"{line};\n" for line in roles.grants(role, erase=erase)), nl=False)
        return 0
    roles.grant(session.ledger, role, erase=erase)
    click.echo(f"{role} may read and append{', and erase payloads' if erase else ''}.")
    return 0
