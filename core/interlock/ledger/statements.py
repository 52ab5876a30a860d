"""Writing changes: each statement is compiled once and then runs on the driver's own cursor.

An append is a handful of small statements and one sync of the disk. SQLAlchemy builds the
statements; going through its execution for each would cost as much again as the database's work.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from interlock.ledger.projections import Change, Replace, Update, Upsert
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

    def apply(self, cursor: Any, project: str, sequence: int, change: Change) -> None:
        """Make a change, in the transaction of the cursor."""
        written = {"project": project, "sequence": sequence}
        if isinstance(change, Replace):
            where = {"project": project, **change.group}
            run(cursor, self.delete(change.table, tuple(change.group)), where)
            for ordinal, row in enumerate(change.rows):
                values = {**written, **change.group, "ordinal": ordinal, **row}
                run(cursor, self.upsert(change.table, tuple(values)), values)
            return
        values = {**written, **change.key, **change.values}
        make = self.upsert if isinstance(change, Upsert) else self.update
        statement = make(change.table, tuple(values))
        if isinstance(change, Update):
            # The row that is looked for, under names apart from the columns that are set.
            values |= {f"at_{name}": value for name, value in change.key.items()}
            values["at_project"] = project
        run(cursor, statement, values)

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
