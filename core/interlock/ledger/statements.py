"""Writing changes: each statement is compiled once and then runs on the driver's own cursor.

An append is a handful of small statements and one sync of the disk. SQLAlchemy builds the
statements; going through its execution for each would cost as much again as the database's work.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from interlock.ledger.projections import Key, Values
from interlock.ledger.tables import KEYS, PROJECTIONS

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Executable

Statement = tuple[str, tuple[str, ...] | None]
"""The text, and the order of its parameters where the driver takes them by position."""


def compiled(statement: Executable, dialect: Dialect) -> Statement:
    """A statement as text for the driver."""
    done = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every executable of ours is a clause
    positions = done.positiontup
    return str(done), tuple(positions) if positions is not None else None


def run(cursor: Any, statement: Statement, values: Mapping[str, Any]) -> None:
    """Run a compiled statement on a driver's cursor."""
    text, positions = statement
    cursor.execute(text, values if positions is None else [values[name] for name in positions])


_KINDS: dict[str, tuple[set[type], str]] = {
    "TEXT": ({str, type(None)}, "a text"),
    "BIGINT": ({int, type(None)}, "a whole number"),
    "DOUBLE": ({int, float, type(None)}, "a number"),
}
_TYPES = {
    name: {column.name: _KINDS[str(column.type)] for column in table.c}
    for name, table in PROJECTIONS.items()
}


def _refuse_other_types(table: str, values: Values) -> None:
    """A database would take a number for a text, and give another value back."""
    types = _TYPES[table]
    for name, value in values.items():
        allowed, words = types[name]
        if type(value) not in allowed:
            raise TypeError(f"{name} is {type(value).__name__}: expected {words}")


@contextmanager
def batch(driver: Any) -> Iterator[None]:
    """Statements that run within it go to a server together, and what they raise comes at its end.

    A chain is locked while its statements travel one by one; so they travel in one message.

    Args:
        driver: the driver's own connection.
    """
    # Of the drivers here, psycopg has it; SQLite needs no messages.
    if not hasattr(driver, "pipeline"):
        yield
        return
    pipeline = driver.pipeline()
    pipeline.__enter__()
    try:
        yield
    except BaseException:
        # What it says at its end is of the same loss, and psycopg would log it.
        with suppress(Exception):
            pipeline.__exit__(None, None, None)
        raise
    pipeline.__exit__(None, None, None)


class Statements:
    """The statements of one dialect, each compiled when it is first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.upsert = functools.cache(self._upsert)
        self.update = functools.cache(self._update)
        self.delete = functools.cache(self._delete)
        self.oldest = functools.cache(self._oldest)

    def compile(self, statement: Executable) -> Statement:
        """A statement of one's own."""
        return compiled(statement, self._dialect)

    def _upsert(self, table: str, names: tuple[str, ...]) -> Statement:
        if self._dialect.name == "sqlite":
            from sqlalchemy.dialects.sqlite import insert as insert_or
        else:
            from sqlalchemy.dialects.postgresql import insert as insert_or  # type: ignore[assignment]  # the two have the same methods

        key = ("project", *KEYS[table])
        statement = insert_or(PROJECTIONS[table]).values({name: bindparam(name) for name in names})
        rest = {name: statement.excluded[name] for name in names if name not in key}
        return self.compile(
            statement.on_conflict_do_update(
                index_elements=[PROJECTIONS[table].c[name] for name in key], set_=rest
            )
        )

    def _update(self, table: str, names: tuple[str, ...]) -> Statement:
        columns = PROJECTIONS[table].c
        key = ("project", *KEYS[table])
        statement = (
            update(PROJECTIONS[table])
            .where(*(columns[name] == bindparam(f"at_{name}") for name in key))
            .values({name: bindparam(name) for name in names if name not in key})
        )
        return self.compile(statement)

    def _delete(self, table: str, names: tuple[str, ...]) -> Statement:
        columns = PROJECTIONS[table].c
        where = (columns[name] == bindparam(name) for name in ("project", *names))
        return self.compile(delete(PROJECTIONS[table]).where(*where))

    def _oldest(self, table: str, names: tuple[str, ...]) -> Statement:
        columns = PROJECTIONS[table].c
        where = (columns[name] == bindparam(name) for name in ("project", *names))
        return self.compile(select(func.min(columns.sequence)).where(*where))


class TableWriter:
    """Writes an event's changes to the tables, in the transaction of a cursor.

    Each method raises TypeError where a value has another type than its column.

    Args:
        statements: of the dialect.
        cursor: the driver's own.
        project: whose rows.

    Attributes:
        sequence: of the event that is written; set it before each.
    """

    def __init__(self, statements: Statements, cursor: Any, project: str) -> None:
        self.sequence = 0
        self._statements = statements
        self._cursor = cursor
        self._project = project

    def upsert(self, table: str, key: Key, values: Values) -> None:
        """Write these columns of a row, which may be new."""
        whole = {
            "project": self._project,
            "sequence": self.sequence,
            **dict(zip(KEYS[table], key, strict=True)),
            **values,
        }
        _refuse_other_types(table, whole)
        run(self._cursor, self._statements.upsert(table, tuple(whole)), whole)

    def update(self, table: str, key: Key, values: Values) -> None:
        """Write these columns of a row, if there is such a row."""
        row = {"project": self._project, **dict(zip(KEYS[table], key, strict=True))}
        whole = {"sequence": self.sequence, **values}
        _refuse_other_types(table, whole)
        statement = self._statements.update(table, tuple(whole))
        # The row that is looked for, under names apart from the columns that are set.
        run(self._cursor, statement, whole | {f"at_{name}": value for name, value in row.items()})

    def replace(self, table: str, group: Key, rows: list[Values]) -> None:
        """Write these rows, numbered, instead of all whose key begins so."""
        names = KEYS[table][: len(group)]
        where = {"project": self._project, **dict(zip(names, group, strict=True))}
        run(self._cursor, self._statements.delete(table, names), where)
        for ordinal, row in enumerate(rows):
            self.upsert(table, (*group, ordinal), row)
