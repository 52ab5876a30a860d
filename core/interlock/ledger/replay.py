"""Projections held against the events that they follow from, while those stream by.

A row carries the sequence of the event that last wrote it. So when a replay comes to that event,
the row is final: it is compared and forgotten. What is held in memory is only what later events
still change.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from interlock.ledger.projections import Change, Replace, Upsert
from interlock.ledger.statements import Statements, run
from interlock.ledger.stream import projection
from interlock.ledger.tables import COLUMNS, KEYS, PROJECTIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

Report = Callable[..., None]
Key = tuple[Any, ...]


class Replay:
    """One project's projections.

    Args:
        connection: within one read transaction.
        project: whose.
        wrong: called with sequence, table, key, column, found, expected.
    """

    def __init__(self, connection: Connection, project: Any, wrong: Report) -> None:
        self._cursor: Any = connection.connection.cursor()
        self._statements = Statements(connection.dialect)
        self._project = project
        self._wrong = wrong
        self._tables = {
            name: _Table(name, projection(connection, name, project)) for name in PROJECTIONS
        }

    def apply(self, sequence: int, made: tuple[Change, ...]) -> None:
        """Take over an event's changes, then compare the rows that it wrote last."""
        if not made:
            return
        written = {"project": self._project, "sequence": sequence}
        for change in made:
            table = self._tables[change.table]
            if isinstance(change, Replace):
                self._replace(table, written, change)
                continue
            key = tuple(map(change.key.get, table.key))
            row = table.live.get(key)
            if row is not None:
                row.update(change.values)
                row["sequence"] = sequence
            elif isinstance(change, Upsert) or self._stale(table, change.key, sequence):
                table.live[key] = {**table.empty, **change.key, **change.values, **written}
        for change in made:
            self._settle(self._tables[change.table], sequence)

    def finish(self) -> None:
        """Compare what no event settled: rows that are missing, and rows that nothing made."""
        for table in self._tables.values():
            for row in table.rest():
                self._compare(table, row)
            for key, expected in table.live.items():
                self._missing(table, key, expected)

    def _replace(self, table: _Table, written: dict[str, Any], change: Replace) -> None:
        group = tuple(change.group.values())
        gone = table.groups.pop(group, set())
        for key in gone:
            table.live.pop(key, None)
        self._stale(table, change.group, written["sequence"])
        keys = set()
        for ordinal, row in enumerate(change.rows):
            whole = {**table.empty, **change.group, "ordinal": ordinal, **row, **written}
            key = tuple(whole[name] for name in table.key)
            table.live[key] = whole
            keys.add(key)
        if keys:
            table.groups[group] = keys

    def _stale(self, table: _Table, where: dict[str, Any], sequence: int) -> bool:
        """Whether a row that this event should have changed says that it is older."""
        found = self._written(table, where)
        if found is None or found >= sequence:
            return False
        key = _shown(tuple(where.values()))
        self._wrong(sequence, table.name, key, "sequence", found, sequence)
        return True

    def _written(self, table: _Table, where: dict[str, Any]) -> int | None:
        """The least sequence of the rows with this key, or part of a key; None without any."""
        statement = self._statements.oldest(table.name, tuple(where))
        run(self._cursor, statement, {"project": self._project, **where})
        found = self._cursor.fetchone()[0]
        return found if isinstance(found, int) else None

    def _settle(self, table: _Table, sequence: int) -> None:
        while (row := table.next) is not None:
            if not isinstance(row[table.sequence], int) or row[table.sequence] > sequence:
                return
            self._compare(table, row)
            table.advance()

    def _compare(self, table: _Table, row: tuple[Any, ...]) -> None:
        key = tuple(map(row.__getitem__, table.places))
        expected = table.live.get(key)
        sequence = row[table.sequence]
        if expected is None:
            at = sequence if isinstance(sequence, int) else None
            self._wrong(at, table.name, _shown(key), "", "a row", "no row, or one written later")
            return
        table.forget(key)
        if table.pick(expected) == row:
            return
        at = expected["sequence"]
        for name, value in zip(table.columns, row, strict=True):
            if expected[name] != value:
                self._wrong(at, table.name, _shown(key), name, value, expected[name])
                return

    def _missing(self, table: _Table, key: Key, expected: dict[str, Any]) -> None:
        sequence = expected["sequence"]
        found = self._written(table, dict(zip(table.key, key, strict=True)))
        if found is None:
            self._wrong(sequence, table.name, _shown(key), "", "no such row", "a row")
        elif found != sequence:
            self._wrong(sequence, table.name, _shown(key), "sequence", found, sequence)


class _Table:
    """A projection on its way: rows as they are, and rows as they should be so far."""

    def __init__(self, name: str, rows: Iterator[tuple[Any, ...]]) -> None:
        self.name = name
        self.key = KEYS[name]
        self.columns = COLUMNS[name]
        self.pick = operator.itemgetter(*self.columns)
        self.empty: dict[str, Any] = dict.fromkeys(self.columns)
        self.places = tuple(self.columns.index(column) for column in self.key)
        self.sequence = self.columns.index("sequence")
        self.live: dict[Key, dict[str, Any]] = {}
        self.groups: dict[Key, set[Key]] = {}
        self._rows = rows
        self.next: tuple[Any, ...] | None = None
        self.advance()

    def advance(self) -> None:
        self.next = next(self._rows, None)

    def rest(self) -> Iterator[tuple[Any, ...]]:
        while self.next is not None:
            yield self.next
            self.advance()

    def forget(self, key: Key) -> None:
        """A row is settled."""
        self.live.pop(key)
        if self.key[-1] == "ordinal":
            group = key[:-1]
            keys = self.groups[group]
            keys.discard(key)
            if not keys:
                del self.groups[group]


def _shown(key: Key) -> str:
    return "/".join(str(part) for part in key)
