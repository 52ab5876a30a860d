"""What a role of a PostgreSQL server needs to work with a ledger, and not a right more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError

from interlock.errors import UsageError
from interlock.ledger import engine as engines
from interlock.ledger.tables import PROJECTIONS
from interlock.ledger.values import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from interlock.ledger.store import Ledger

_OVER = text("""
    SELECT rolsuper OR pg_has_role(rolname, tables.tableowner, 'MEMBER') AS owns
    FROM pg_roles, pg_tables AS tables
    WHERE rolname = :role AND tables.schemaname = :schema AND tables.tablename = 'events'
""")


def grants(role: str, *, erase: bool = False) -> tuple[str, ...]:
    """The statements that let a role work with a ledger: read all, append, and no more.

    It may not change or delete an event, a payload or the ledger's id, and it may not migrate.
    It may change the projections, which follow from the events: `audit verify` compares them.

    Args:
        role: which exists.
        erase: whether it may also remove a payload, for good and on record.

    >>> grants("app")[0]
    'GRANT USAGE ON SCHEMA interlock TO app'
    """
    # Quoted as PostgreSQL quotes a name, wherever it needs it.
    to = postgresql.dialect().identifier_preparer.quote(role)  # type: ignore[no-untyped-call]  # a dialect's class has no types
    schema = SCHEMA
    projections = ", ".join(f"{schema}.{name}" for name in PROJECTIONS)
    made = [
        f"GRANT USAGE ON SCHEMA {schema} TO {to}",
        # From what it had before, so that a right which is no longer given is gone.
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {to}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {to}",
        f"GRANT INSERT ON {schema}.events, {schema}.payloads, {schema}.heads TO {to}",
        f"GRANT UPDATE (sequence, digest) ON {schema}.heads TO {to}",
        f"GRANT INSERT, UPDATE, DELETE ON {projections} TO {to}",
    ]
    if erase:
        made.append(f"GRANT UPDATE (salt, body, erased_at, reason) ON {schema}.payloads TO {to}")
    return tuple(made)


def grant(ledger: Ledger, role: str, *, erase: bool = False) -> None:
    """Give a role these rights, in one transaction.

    Args:
        ledger: in PostgreSQL, opened by the owner of its tables.
        role: which exists.
        erase: whether it may also remove a payload.

    Raises:
        UsageError: there is no such role, or it owns the tables, so that nothing holds it back.
        LedgerError: these rights cannot be given by who opened the ledger.
    """
    try:
        with ledger.engine.begin() as connection:
            _refuse_owner(connection, role)
            for statement in grants(role, erase=erase):
                connection.exec_driver_sql(statement)
    except SQLAlchemyError as error:
        raise engines.failed(ledger.url, "opened to a role", error) from error


def refuse_file(place: str, backend: str) -> None:
    """Refuse a ledger that knows no roles.

    Raises:
        UsageError: it is a SQLite file.
    """
    if backend == "sqlite":
        raise UsageError(
            f"{place} is a file, and a file has no roles",
            hint="its permissions decide who may write it; a team's ledger is in PostgreSQL",
        )


def _refuse_owner(connection: Connection, role: str) -> None:
    values = {"role": role, "schema": SCHEMA}
    found = connection.execute(_OVER, values).first()
    if found is None:
        raise UsageError(
            f"there is no role {role!r} in this server",
            hint=f"psql: CREATE ROLE {role} LOGIN PASSWORD '...'",
        )
    if found.owns:
        raise UsageError(
            f"{role!r} owns the ledger's tables or is a superuser: no right holds it back",
            hint="give the application a role of its own",
        )
