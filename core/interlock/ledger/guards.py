"""Triggers that refuse what a chain never needs: to change an event, to lose one, to go back.

An event is inserted, and that is all. A payload is inserted, and once in its life it may become a
tombstone, after an event that tells of its erasure. A head only moves forward.

On SQLite the guards stop a slip and no will: whoever has the file can drop them. On a server so can
the owner of the tables; let the application work under a role that owns nothing, as
`interlock.ledger.roles` has it. Against owners stands a checkpoint that is kept elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.ledger.values import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection

# What an update of a payload must be to be an erasure. The events are named with their schema: a
# temporary table of the same name comes first in every search path.
_TOMBSTONE = """\
NEW.project = OLD.project AND NEW.sequence = OLD.sequence AND NEW.event = OLD.event
    AND OLD.erased_at IS NULL AND NEW.salt IS NULL AND NEW.body IS NULL
    AND NEW.reason IS NOT NULL AND EXISTS (
        SELECT 1 FROM {schema}events AS told
        WHERE told.project = OLD.project AND told.subject = OLD.event
        AND told.kind = 'payload.erased' AND told.at = NEW.erased_at
    )"""

_BACKWARDS = """\
NEW.project <> OLD.project OR NEW.sequence < OLD.sequence
    OR (NEW.sequence = OLD.sequence AND NEW.digest <> OLD.digest)"""

_REFUSE = "the ledger refuses"


def install(connection: Connection) -> None:
    """Put the guards on the tables of the chain, in place of those that are there.

    The one definition of them: a later revision that changes a guard installs them again.

    Args:
        connection: in a transaction, to a database that has the tables.
    """
    statements = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    for statement in statements:
        connection.exec_driver_sql(statement)


def _sqlite_guard(table: str, operation: str, when: str = "") -> tuple[str, str]:
    name = f"{table}_{operation.lower()}_guard"
    condition = f"WHEN {when} " if when else ""
    return (
        f"DROP TRIGGER IF EXISTS {name}",
        (
            f"CREATE TRIGGER {name} BEFORE {operation} ON {table} {condition}"
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSE} {operation} of {table}'); END"
        ),
    )


_SQLITE = (
    *_sqlite_guard("events", "UPDATE"),
    *_sqlite_guard("events", "DELETE"),
    # IS NOT TRUE: a condition that is null permits nothing.
    *_sqlite_guard("payloads", "UPDATE", f"({_TOMBSTONE.format(schema='')}) IS NOT TRUE"),
    *_sqlite_guard("payloads", "DELETE"),
    *_sqlite_guard("heads", "UPDATE", f"({_BACKWARDS}) IS NOT FALSE"),
    *_sqlite_guard("heads", "DELETE"),
)


def _server_guard(table: str, when: str, each: str, function: str, condition: str = "") -> str:
    name = f"{table}_{when.split(' ', 1)[0].lower()}_guard"
    return (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {when} ON {SCHEMA}.{table} "
        f"FOR EACH {each} {condition}EXECUTE FUNCTION {SCHEMA}.{function}()"
    )


_POSTGRESQL = (
    f"""\
CREATE OR REPLACE FUNCTION {SCHEMA}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
    RAISE insufficient_privilege USING MESSAGE = '{_REFUSE} ' || TG_OP || ' of ' || TG_TABLE_NAME;
END $guard$""",
    f"""\
CREATE OR REPLACE FUNCTION {SCHEMA}.keep_payload() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
    IF {_TOMBSTONE.format(schema=f"{SCHEMA}.")} THEN
        RETURN NEW;
    END IF;
    RAISE insufficient_privilege USING MESSAGE = '{_REFUSE} UPDATE of payloads';
END $guard$""",
    _server_guard("events", "UPDATE OR DELETE OR TRUNCATE", "STATEMENT", "refuse_change"),
    _server_guard("payloads", "DELETE OR TRUNCATE", "STATEMENT", "refuse_change"),
    _server_guard("payloads", "UPDATE", "ROW", "keep_payload"),
    _server_guard("heads", "DELETE OR TRUNCATE", "STATEMENT", "refuse_change"),
    _server_guard("heads", "UPDATE", "ROW", "refuse_change", f"WHEN ({_BACKWARDS}) "),
)
