"""Reading a ledger end to end on the driver's own cursor, a batch at a time.

Values come as the database holds them: nothing is converted, so nothing that was tampered with
can make the reading fail.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from interlock.ledger.statements import Statement, compiled, run
from interlock.ledger.tables import COLUMNS, PROJECTIONS, events, payloads

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

_BATCH = 512

_BESIDE = ("event", "salt", "body", "erased_at", "reason")
_OF_EVENTS = tuple(name for name in events.c.keys() if name != "project")  # noqa: SIM118  (columns, no dict)
EVENT_COLUMNS = (
    *(f"events.{name}" for name in _OF_EVENTS),
    *(f"payloads.{name}" for name in _BESIDE),
)
"""What `chain` gives, in order. The project is the one that was asked for."""


def stream(connection: Connection, statement: Statement, **values: Any) -> Iterator[Any]:
    """The rows of a compiled statement, without ever holding more than a batch of them."""
    driver: Any = connection.connection
    # A plain cursor of psycopg fetches everything at once; a named one stays in the server.
    named = connection.dialect.name == "postgresql"
    cursor = driver.cursor(name=f"ledger_{os.urandom(4).hex()}") if named else driver.cursor()
    try:
        run(cursor, statement, values)
        while batch := cursor.fetchmany(_BATCH):
            yield from batch
    finally:
        cursor.close()


def chain(connection: Connection, project: str) -> Iterator[Any]:
    """A project's events in order, each with its payload beside it."""
    return stream(connection, _chain(connection.dialect), wanted=project)


def projection(connection: Connection, table: str, project: str) -> Iterator[Any]:
    """A project's rows of a projection, in the order of the events that last wrote them.

    Each is the values of `COLUMNS`: the key first.
    """
    return stream(connection, _projection(connection.dialect, table), wanted=project)


@functools.cache
def _chain(dialect: Dialect) -> Statement:
    statement = (
        select(*(events.c[name] for name in _OF_EVENTS), *(payloads.c[name] for name in _BESIDE))
        .outerjoin_from(
            events,
            payloads,
            (events.c.project == payloads.c.project) & (events.c.sequence == payloads.c.sequence),
        )
        .where(events.c.project == bindparam("wanted"))
        .order_by(events.c.sequence)
    )
    return compiled(statement, dialect)


@functools.cache
def _projection(dialect: Dialect, table: str) -> Statement:
    columns = PROJECTIONS[table].c
    statement = (
        select(*(columns[name] for name in COLUMNS[table]))
        .where(columns.project == bindparam("wanted"))
        .order_by(columns.sequence)
    )
    return compiled(statement, dialect)
