"""A ledger in a SQLite file, read by the standard library alone.

A server reads a few rows before it is ready, and importing SQLAlchemy would take it longer than
everything else. Nothing is written here: who writes opens the ledger itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import orjson

from interlock.ledger.asked import ServerReads, with_targets
from interlock.ledger.file_ids import FileId, file_id
from interlock.ledger.values import JSON_COLUMNS, PAGE, REVISION, Row

_SCHEME = "sqlite:///"
_WAIT = 120.0  # seconds, as whoever writes waits for a lock
_EVENTS = (
    "SELECT events.project, events.sequence, id, kind, at, actor, subject, run, digest, "
    "payloads.body AS payload FROM events LEFT JOIN payloads "
    "ON events.project = payloads.project AND events.sequence = payloads.sequence"
)


class FileReads(ServerReads):
    """The questions of a server to a SQLite file, from any thread.

    Args:
        path: of a ledger of this version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: FileId | None = None

    @classmethod
    def open(cls, url: str) -> Self | None:
        """The reads of a ledger; None where it must be opened as a whole.

        That is where it is no file, where its address says more than a path, where it is not of
        this version's schema, and where anything is wrong with it: opening says what.
        """
        path = Path(url.removeprefix(_SCHEME))
        if not url.startswith(_SCHEME) or "?" in url or not path.is_file():
            return None
        reads = cls(path)
        try:
            found = reads._rows("SELECT id, version_num FROM meta, alembic_version", ())
        except sqlite3.Error:
            reads.close()
            return None
        if [row["version_num"] for row in found] == [REVISION]:
            return reads
        reads.close()
        return None

    def close(self) -> None:
        """Let go of the file; another question opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def listing(
        self, table: str, project: str | None, *, limit: int | None = PAGE, **equal: Any
    ) -> list[Row]:
        """A page of a listing, newest first; filters that are None do not filter."""
        wanted = {"project": project, **equal}
        chosen = {name: value for name, value in wanted.items() if value is not None}
        # Behind its table's name: a column that there is not would else be read as a text.
        condition = " AND ".join(f'"{table}"."{name}" = ?' for name in chosen) or "TRUE"
        most = -1 if limit is None else limit
        return self._asked(
            f'SELECT * FROM "{table}" WHERE {condition} ORDER BY id DESC LIMIT ?',  # noqa: S608  (names of core's own)
            (*chosen.values(), most),
        )

    def one(self, table: str, identifier: str) -> Row | None:
        """The row with an id, or None."""
        found = self._asked(f'SELECT * FROM "{table}" WHERE id = ? LIMIT 1', (identifier,))  # noqa: S608  (names of core's own)
        return found[0] if found else None

    def stages(self, run: str) -> list[Row]:
        """The stage executions of a run, in order."""
        found = self._asked("SELECT * FROM stages WHERE run = ?", (run,))
        return sorted(found, key=lambda row: str(row["id"]))

    def endpoint_deployment(self, project: str, stack: str, endpoint: str) -> Row | None:
        """The latest deployment of an endpoint that was not removed, or None.

        One that failed counts where there is no other: what served before it serves on.
        """
        here = (
            "SELECT * FROM deployments WHERE project = ? AND endpoint = ? AND stack = ? "
            "AND status <> 'removed' {}ORDER BY id DESC LIMIT 1"
        )
        asked = (project, endpoint, stack)
        found = self._asked(here.format("AND status <> 'failed' "), asked) or self._asked(
            here.format(""), asked
        )
        return with_targets(found[0]) if found else None

    def events(
        self,
        project: str,
        *,
        after: int | None = None,
        subject: str | None = None,
        limit: int | None = PAGE,
    ) -> list[Row]:
        """Events of a project in order: the first after a sequence, or else the latest."""
        conditions, values = ["events.project = ?"], [project]
        if subject is not None:
            conditions.append("subject = ?")
            values.append(subject)
        if after is not None:
            conditions.append(f"events.sequence > {after:d}")
        order = "DESC" if after is None else "ASC"
        found = self._asked(
            f"{_EVENTS} WHERE {' AND '.join(conditions)} ORDER BY events.sequence {order} LIMIT ?",
            (*values, -1 if limit is None else limit),
        )
        read = [_event(row) for row in found]
        return read if after is not None else read[::-1]

    def _asked(self, statement: str, values: Sequence[Any]) -> list[Row]:
        """The rows of a statement.

        Raises:
            LedgerError: the file cannot be read.
        """
        try:
            return self._rows(statement, values)
        except sqlite3.Error as error:
            self.close()
            from interlock.ledger import engine as engines

            url = engines.parse_url(f"{_SCHEME}{self._path}")
            raise engines.failed(url, "read", error) from error

    def _rows(self, statement: str, values: Sequence[Any]) -> list[Row]:
        with self._lock:
            there = file_id(self._path)
            if self._connection is not None and there != self._file:
                # It was moved, or another was put in its place: what it says no longer counts.
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection, self._file = self._connected(), there
            with closing(self._connection.execute(statement, values)) as cursor:
                names = [column[0] for column in cursor.description]
                return [_row(names, found) for found in cursor.fetchall()]

    def _connected(self) -> sqlite3.Connection:
        # Never made anew where it is gone, and each statement a transaction of its own.
        address = f"{self._path.absolute().as_uri()}?mode=rw"
        return sqlite3.connect(
            address, uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False
        )


def _row(names: Sequence[str], found: Sequence[Any]) -> Row:
    values = dict(zip(names, found, strict=True))
    for name in JSON_COLUMNS & values.keys():
        if values[name] is not None:
            values[name] = orjson.loads(values[name])
    return MappingProxyType(values)


def _event(row: Row) -> Row:
    actor, payload = orjson.loads(row["actor"]), row["payload"]
    told = {"actor": actor["subject"], "verified": actor["verified"]}
    read = None if payload is None else orjson.loads(payload)
    return MappingProxyType({**row, **told, "payload": read})
