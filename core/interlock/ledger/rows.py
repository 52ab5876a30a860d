"""How a ledger is read: a listing page by page, a single row, events in order.

Rows are read-only mappings of column to value; a column that holds JSON gives its values. A
listing is newest first, by id; the next page is asked for with ``before`` the last id of this one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

import orjson
from sqlalchemy import Connection, Select, desc, select
from sqlalchemy import Row as Fetched

from interlock.ledger.tables import PROJECTIONS, events, heads, payloads
from interlock.ledger.values import JSON_COLUMNS, PAGE, Row

Ask = Callable[[Callable[[Connection], Any]], Any]
"""Gives what a question gives that is put to a connection; the question may be put again."""


def as_row(fetched: Fetched[Any]) -> Row:
    """A fetched row with its JSON read."""
    # SQLAlchemy names columns by a subclass of str, which orjson takes for no key.
    values = {str(name): value for name, value in fetched._mapping.items()}  # noqa: SLF001  (its public name)
    for name in JSON_COLUMNS & values.keys():
        if values[name] is not None:
            values[name] = orjson.loads(values[name])
    return MappingProxyType(values)


class Rows:
    """Questions to a ledger.

    Args:
        ask: puts a question.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Questions within a transaction that is under way."""
        return cls(lambda question: question(connection))

    def rows(self, statement: Select[Any]) -> list[Row]:
        """The rows of a statement."""
        found = self._ask(lambda connection: connection.execute(statement).all())
        return [as_row(fetched) for fetched in found]

    def row(self, statement: Select[Any]) -> Row | None:
        """The first row of a statement, or None."""
        found = self.rows(statement.limit(1))
        return found[0] if found else None

    def projects(self) -> list[str]:
        """The projects that have events."""
        return [row["project"] for row in self.rows(select(heads.c.project).order_by("project"))]

    def listing(
        self,
        table: str,
        project: str | None,
        *,
        limit: int | None = PAGE,
        before: str | None = None,
        since: datetime | None = None,
        **equal: Any,
    ) -> list[Row]:
        """A page of a listing; filters that are None do not filter.

        Args:
            table: a projection of things with ids.
            project: whose; None for all.
            limit: how many at most; None for no limit.
            before: only what is older than this id.
            since: only what began at or after this time, which must be aware.
            equal: columns and the values that they must have.
        """
        wanted = {name: value for name, value in equal.items() if value is not None}
        if project is None and wanted:
            # The indexes begin with the project: a page of each, and the newest of those.
            pages = [
                self.listing(table, one, limit=limit, before=before, since=since, **wanted)
                for one in self.projects()
            ]
            joined = sorted((row for page in pages for row in page), key=by_id, reverse=True)
            return joined[:limit]
        columns = PROJECTIONS[table].c
        statement = select(PROJECTIONS[table]).order_by(desc(columns.id)).limit(limit)
        if project is not None:
            statement = statement.where(columns.project == project)
        for name, value in wanted.items():
            statement = statement.where(columns[name] == value)
        if before is not None:
            statement = statement.where(columns.id < before)
        if since is not None:
            statement = statement.where(columns.id >= _first_id(table, since))
        return self.rows(statement)

    def one(self, table: str, identifier: str) -> Row | None:
        """The row with an id, or None."""
        columns = PROJECTIONS[table].c
        return self.row(select(PROJECTIONS[table]).where(columns.id == identifier))

    def kinds(self, project: str) -> list[str]:
        """The kinds of event that a project has, in the alphabet's order."""
        kind = events.c.kind
        statement = select(kind).where(events.c.project == project).distinct().order_by(kind)
        return [row["kind"] for row in self.rows(statement)]

    def events(
        self,
        project: str,
        *,
        after: int | None = None,
        kind: str | None = None,
        subject: str | None = None,
        run: str | None = None,
        limit: int | None = PAGE,
    ) -> list[Row]:
        """Events of a project in order: the first after a sequence, or else the latest.

        Each has project, sequence, id, kind, at, actor (the subject's name), verified, subject,
        run, digest and payload, which is None where it was erased.
        """
        column = events.c.sequence
        statement = _EVENTS.where(events.c.project == project).limit(limit)
        for name, value in (("kind", kind), ("subject", subject), ("run", run)):
            if value is not None:
                statement = statement.where(events.c[name] == value)
        if after is not None:
            ordered = statement.where(column > after).order_by(column)
        else:
            ordered = statement.order_by(desc(column))
        rows = self._ask(lambda connection: connection.execute(ordered).all())
        found = [_event(fetched) for fetched in rows]
        return found if after is not None else found[::-1]

    def event(self, identifier: str) -> Row | None:
        """The event with an id, or None."""
        wanted = _EVENTS.where(events.c.id == identifier)
        found = self._ask(lambda connection: connection.execute(wanted).first())
        return None if found is None else _event(found)


_EVENTS = select(
    *(
        events.c[name]
        for name in ("project", "sequence", "id", "kind", "at", "actor", "subject", "run", "digest")
    ),
    payloads.c.body.label("payload"),
).outerjoin_from(
    events,
    payloads,
    (events.c.project == payloads.c.project) & (events.c.sequence == payloads.c.sequence),
)


def _event(fetched: Any) -> Row:
    # SQLAlchemy names columns by a subclass of str, which orjson takes for no key.
    values = {str(name): value for name, value in fetched._mapping.items()}  # noqa: SLF001  (its public name)
    actor = orjson.loads(values["actor"])
    values["actor"], values["verified"] = actor["subject"], actor["verified"]
    values["payload"] = None if values["payload"] is None else orjson.loads(values["payload"])
    return MappingProxyType(values)


def by_id(row: Row) -> str:
    """The key to sort rows by, the oldest first."""
    return str(row["id"])


def _first_id(table: str, since: datetime) -> str:
    """The least id of a time: ids begin with their kind and the milliseconds since 1970."""
    kind = _KINDS.get(table, table.removesuffix("s"))
    return f"{kind}-{max(0, int(since.timestamp() * 1000)):012x}"


_KINDS = {"labels": "labels", "findings": "window"}
