"""Projections made anew from the events: after a migration, and after a payload was erased."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, select

from interlock.ledger.projections import Happened, reduce
from interlock.ledger.statements import Statements, TableWriter
from interlock.ledger.stream import EVENT_COLUMNS, chain
from interlock.ledger.tables import PROJECTIONS, heads

if TYPE_CHECKING:
    from sqlalchemy import Connection

_HEADER = EVENT_COLUMNS.index("events.header")
_BODY = EVENT_COLUMNS.index("payloads.body")


def rebuild(connection: Connection, project: str | None = None) -> None:
    """Replace the projections by what the events say, in the transaction of the connection.

    Args:
        connection: in a write transaction.
        project: whose; None for all.
    """
    projects = (
        list(connection.execute(select(heads.c.project)).scalars())
        if project is None
        else [project]
    )
    for one in projects:
        for table in PROJECTIONS.values():
            connection.execute(delete(table).where(table.c.project == one))
        _replay(connection, one)


def _replay(connection: Connection, project: str) -> None:
    driver: Any = connection.connection
    cursor = driver.cursor()
    tables = TableWriter(Statements(connection.dialect), cursor, project)
    for row in itertools.chain.from_iterable(chain(connection, project)):
        header = orjson.loads(row[_HEADER])
        body = row[_BODY]
        event = Happened(
            header["kind"],
            header["at"],
            header["actor"]["subject"],
            header["subject"],
            header["run"],
            {} if body is None else orjson.loads(body),
        )
        tables.sequence = header["sequence"]
        reduce(event, tables)
    cursor.close()
