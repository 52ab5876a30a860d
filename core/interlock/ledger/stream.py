"""Reading a ledger end to end on the driver's own cursor, a batch at a time.

Values come as the database holds them: nothing is converted, so nothing that was tampered with
can make the reading fail.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from interlock.ledger.statements import Statement, compiled, run
from interlock.ledger.tables import COLUMNS, PROJECTIONS, events, payloads

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

_BATCH = {"sqlite": 64, "postgresql": 512}
"""Rows. So few stay in the processor's cache until they are compared; a server is asked less often
for more.
"""

_BESIDE = ("event", "salt", "body", "erased_at", "reason")
_OF_EVENTS = tuple(name for name in events.c.keys() if name != "project")  # noqa: SIM118  (columns, no dict)
EVENT_COLUMNS = (
    *(f"events.{name}" for name in _OF_EVENTS),
    *(f"payloads.{name}" for name in _BESIDE),
)
"""What `chain` gives, in order. The project is the one that was asked for."""


def stream(connection: Connection, statement: Statement, **values: Any) -> Iterator[list[Any]]:
    """The rows of a compiled statement, a batch at a time: no more are ever held."""
    driver: Any = connection.connection
    size = _BATCH[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        # A plain cursor of psycopg fetches everything at once; a named one stays in the server.
        # In binary, bytes travel as they are and not as twice as many digits.
        cursor = driver.cursor(name=f"ledger_{os.urandom(4).hex()}", binary=True)
    else:
        cursor = driver.cursor()
    try:
        run(cursor, statement, values)
        while batch := cursor.fetchmany(size):
            yield batch
    finally:
        cursor.close()


def chain(connection: Connection, project: str) -> Iterator[list[Any]]:
    """A project's events in order, in batches, each with its payload beside it."""
    return stream(connection, _chain(connection.dialect), wanted=project)


def projection(connection: Connection, table: str, project: str) -> Iterator[Any]:
    """A project's rows of a projection, in the order of the events that last wrote them.

    Each is the values of `COLUMNS`: the key first.
    """
    batches = stream(connection, _projection(connection.dialect, table), wanted=project)
    return itertools.chain.from_iterable(batches)


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
