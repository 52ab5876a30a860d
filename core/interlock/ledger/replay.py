"""Projections held against the events that they follow from, while those stream by.

A row carries the sequence of the event that last wrote it. So when a replay has come to that event,
the row is final: it is compared and forgotten, some events' rows at a time. What is held in memory
is only what later events still change.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from interlock.ledger.projections import REDUCERS, Happened, Key, Values
from interlock.ledger.statements import Statements, run
from interlock.ledger.stream import projection
from interlock.ledger.tables import COLUMNS, KEYS, PROJECTIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

Report = Callable[..., None]


class Replay:
    """One project's projections: what a reducer writes to while a ledger is verified.

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
        self._sequence = 0

    def apply(self, rows: Iterable[tuple[Any, ...]], events: Iterable[Happened]) -> None:
        """Take over what events change.

        Args:
            rows: of the events; the sequence and the id come first.
            events: as many as are to be taken over.
        """
        for row, event in zip(rows, events, strict=False):
            reducer = REDUCERS.get(event.kind)
            if reducer is not None:
                self._sequence = row[0]
                try:
                    reducer(event, self)
                except TypeError as error:
                    self._wrong(row[0], "payloads", str(row[1]), "body", str(error), "")

    def settle(self, sequence: float) -> None:
        """Compare the rows that events up to this one, all applied, wrote last."""
        for table in self._tables.values():
            if table.due <= sequence:
                self._settle(table, sequence)

    def finish(self) -> None:
        """Compare what no event settled: rows that are missing, and rows that nothing made."""
        self.settle(math.inf)
        for table in self._tables.values():
            for key, expected in table.live.items():
                self._missing(table, key, expected["sequence"])

    def upsert(self, table: str, key: Key, values: Values) -> None:
        """Expect these columns of a row, which may be new."""
        there = self._tables[table]
        values["sequence"] = self._sequence
        row = there.live.get(key)
        if row is None:
            there.live[key] = there.empty | values
        else:
            row.update(values)

    def update(self, table: str, key: Key, values: Values) -> None:
        """Expect these columns of a row, if there is such a row."""
        there = self._tables[table]
        row = there.live.get(key)
        if row is not None:
            values["sequence"] = self._sequence
            row.update(values)
        elif self._stale(there, key):
            self.upsert(table, key, values)

    def replace(self, table: str, group: Key, rows: list[Values]) -> None:
        """Expect these rows, numbered, instead of all whose key begins so."""
        there = self._tables[table]
        there.forget(group)
        self._stale(there, group)
        for ordinal, row in enumerate(rows):
            row["sequence"] = self._sequence
            there.live[*group, ordinal] = row
        there.groups[group] = len(rows)

    def _stale(self, table: _Table, where: Key) -> bool:
        """Whether a row that this event should have changed says that it is older."""
        found = self._written(table, where)
        if found is None or found >= self._sequence:
            return False
        self._wrong(self._sequence, table.name, _shown(where), "sequence", found, self._sequence)
        return True

    def _written(self, table: _Table, where: Key) -> int | None:
        """The least sequence of the rows with this key, or part of a key; None without any."""
        names = KEYS[table.name][: len(where)]
        statement = self._statements.oldest(table.name, names)
        values = {"project": self._project, **dict(zip(names, where, strict=True))}
        run(self._cursor, statement, values)
        found = self._cursor.fetchone()[0]
        return found if isinstance(found, int) else None

    def _settle(self, table: _Table, sequence: float) -> None:
        """Hold the rows of a table that were last written until now against what they should be."""
        live, pick, width = table.live, table.pick, table.width
        row = table.next
        while row is not None and table.due <= sequence:
            key = row[:width]
            expected = live.pop(key, None)
            if expected is None or pick(expected) != row[width:]:
                self._differs(table, key, row, expected)
            if table.groups:
                table.groups.pop(key[:-1], None)
            row = table.advance()

    def _differs(
        self, table: _Table, key: Key, row: tuple[Any, ...], expected: Values | None
    ) -> None:
        if expected is None:
            sequence = row[table.sequence]
            at = sequence if isinstance(sequence, int) else None
            self._wrong(at, table.name, _shown(key), "", "a row", "no row, or one written later")
            return
        found = dict(zip(table.columns, row[table.width :], strict=True))
        # A row of another event differs in more, and this says why.
        for name in ("sequence", *table.columns):
            if expected[name] != found[name]:
                at = expected["sequence"]
                self._wrong(at, table.name, _shown(key), name, found[name], expected[name])
                return

    def _missing(self, table: _Table, key: Key, sequence: int) -> None:
        found = self._written(table, key)
        if found is None:
            self._wrong(sequence, table.name, _shown(key), "", "no such row", "a row")
        elif found != sequence:
            self._wrong(sequence, table.name, _shown(key), "sequence", found, sequence)


class _Table:
    """A projection on its way: rows as they are, and rows as they should be so far.

    Attributes:
        name: of the table.
        width: of its key.
        columns: the others.
        pick: those of an expected row, in their order.
        empty: an expected row that nothing was said of yet.
        sequence: its place in a row.
        live: the expected rows that are not compared yet, without their keys.
        groups: of rows that are replaced together, how many there are.
        next: the next row to compare; None at the end.
        due: the sequence that it says; infinite where it is none, or there is no row.
    """

    def __init__(self, name: str, rows: Iterator[tuple[Any, ...]]) -> None:
        self.name = name
        self.width = len(KEYS[name])
        self.columns = COLUMNS[name][self.width :]
        self.pick = operator.itemgetter(*self.columns)
        self.empty: Values = dict.fromkeys(self.columns)
        self.sequence = COLUMNS[name].index("sequence")
        self.live: dict[Key, Values] = {}
        self.groups: dict[Key, int] = {}
        self._rows = rows
        self.next: tuple[Any, ...] | None = None
        self.due: float = math.inf
        self.advance()

    def advance(self) -> tuple[Any, ...] | None:
        """The row after this one, which is the next from now on."""
        row = self.next = next(self._rows, None)
        due = math.inf if row is None else row[self.sequence]
        self.due = due if type(due) is int else math.inf
        return row

    def forget(self, group: Key) -> None:
        """Rows of a group are replaced: they are not expected any more."""
        for ordinal in range(self.groups.pop(group, 0)):
            self.live.pop((*group, ordinal), None)


def _shown(key: Key) -> str:
    return "/".join(str(part) for part in key)
