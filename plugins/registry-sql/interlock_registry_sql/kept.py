"""Connections that are kept for the next lookup, and for nothing else.

Opening a database costs ten times what a lookup does. A lookup is one statement and leaves nothing
behind, so its connection may wait for the next: of whichever thread, and not across a fork, which
neither SQLite nor a server's connection survives.
"""

from __future__ import annotations

import functools
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select

_MOST = 4
"""Connections that wait. More lookups at once open their own, and close them."""

_IDLE = 60
"""Seconds. A network may have forgotten a connection that was silent for longer."""

_lock = threading.Lock()
"""Held while a connection is laid by, and over a fork."""

_everywhere: weakref.WeakSet[Kept] = weakref.WeakSet()


@attrs.frozen(eq=False)
class _Waiting:
    connection: Any
    since: float
    mark: object


class Kept:
    """The connections that wait for the next lookup in one database.

    Args:
        engine: opens them.
        mark: says which database is there now: SQLite's file may be another than that which was
            opened.
    """

    def __init__(self, engine: Engine, mark: Callable[[], object]) -> None:
        self._engine = engine
        self._mark = mark
        self._errors: type[Exception] = engine.dialect.loaded_dbapi.Error
        # Compiled once; the handful of lookups are constants.
        self._written = functools.cache(lambda query: str(query.compile(dialect=engine.dialect)))
        self._waiting: list[_Waiting] = []
        weakref.finalize(self, _close_all, self._waiting)
        _close_before_forks()
        _everywhere.add(self)

    def fetch(self, query: Select[Any], values: Mapping[str, Any]) -> list[Any]:
        """The rows of a query, outside any transaction.

        A connection that waited may have been lost meanwhile: then a new one is asked.

        Raises:
            DBAPIError: of a new connection that cannot be opened.
            Exception: the driver's own error, of a statement that a new connection refuses.
        """
        statement, mark = self._written(query), self._mark()
        waited = self._taken(mark)
        if waited is not None:
            try:
                return self._fetched(waited, mark, statement, values)
            except self._errors:
                pass
        return self._fetched(self._opened(), mark, statement, values)

    def close(self) -> None:
        """Close what waits."""
        _close_all(self._waiting)

    def _fetched(
        self, connection: Any, mark: object, statement: str, values: Mapping[str, Any]
    ) -> list[Any]:
        try:
            rows: list[Any] = connection.execute(statement, values).fetchall()
        except BaseException:
            connection.close()
            raise
        with _lock:
            if len(self._waiting) < _MOST:
                self._waiting.append(_Waiting(connection, time.monotonic(), mark))
                return rows
        connection.close()
        return rows

    def _taken(self, mark: object) -> Any:
        oldest = time.monotonic() - _IDLE
        while (found := _popped(self._waiting)) is not None:
            if found.since >= oldest and found.mark == mark:
                return found.connection
            found.connection.close()
        return None

    def _opened(self) -> Any:
        fairy = self._engine.raw_connection()
        connection: Any = fairy.driver_connection
        # It is ours from here on: SQLAlchemy's pool forgets it.
        fairy.detach()
        if self._engine.dialect.name == "postgresql":
            connection.autocommit = True
        return connection


def _popped(waiting: list[_Waiting]) -> _Waiting | None:
    try:
        return waiting.pop()
    except IndexError:  # nothing waits, or another thread was faster
        return None


def _close_all(waiting: list[_Waiting]) -> None:
    while (found := _popped(waiting)) is not None:
        found.connection.close()


@functools.cache
def _close_before_forks() -> None:
    """What waits is closed before a fork, and nothing is laid by until it is done."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release
        )


def _before_fork() -> None:
    _lock.acquire()
    for kept in _everywhere:
        kept.close()
