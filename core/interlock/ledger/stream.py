"""Reading a ledger end to end on the driver's own cursor, a batch at a time.

Values come as the database holds them: nothing is converted, so nothing that was tampered with
can make the reading fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from interlock.ledger.statements import compiled
from interlock.ledger.tables import COLUMNS, PROJECTIONS, events, payloads

if TYPE_CHECKING:
    from sqlalchemy import Connection, Executable

_BATCH = 512

_BESIDE = ("event", "salt", "body", "erased_at", "reason")
EVENT_COLUMNS = (
    *(f"events.{column.name}" for column in events.c),
    *(f"payloads.{name}" for name in _BESIDE),
)
"""What `chain` gives, in order."""


def stream(connection: Connection, statement: Executable, **values: Any) -> Iterator[Any]:
    """The rows of a statement, without ever holding more than a batch of them."""
    text, positions = compiled(statement, connection.dialect)
    driver: Any = connection.connection
    # A plain cursor of psycopg fetches everything at once; a named one stays in the server.
    named = connection.dialect.name == "postgresql"
    cursor = driver.cursor(name=f"ledger_{id(statement):x}") if named else driver.cursor()
    try:
        cursor.execute(text, values if positions is None else [values[name] for name in positions])
        while batch := cursor.fetchmany(_BATCH):
            yield from batch
    finally:
        cursor.close()


def chain(connection: Connection, project: Any) -> Iterator[Any]:
    """A project's events in order, each with its payload beside it."""
    statement = (
        select(*events.c, *(payloads.c[name] for name in _BESIDE))
        .outerjoin_from(
            events,
            payloads,
            (events.c.project == payloads.c.project) & (events.c.sequence == payloads.c.sequence),
        )
        .where(events.c.project == bindparam("wanted"))
        .order_by(events.c.sequence)
    )
    return stream(connection, statement, wanted=project)


def projection(connection: Connection, table: str, project: Any) -> Iterator[Any]:
    """A project's rows of a projection, in the order of the events that last wrote them."""
    columns = PROJECTIONS[table].c
    statement = (
        select(*(columns[name] for name in COLUMNS[table]))
        .where(columns.project == bindparam("wanted"))
        .order_by(columns.sequence)
    )
    return stream(connection, statement, wanted=project)
