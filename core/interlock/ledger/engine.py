"""The database behind a ledger: how it is reached, locked, and made to keep what it was told."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DisconnectionError,
    NoSuchModuleError,
    OperationalError,
)

from interlock.errors import LedgerError
from interlock.ledger.file_ids import file_id
from interlock.ledger.patience import is_away
from interlock.ledger.values import SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Engine

_WAIT = 120  # seconds: 32 writers on one SQLite file waited up to 5.4 s for their turn
_WRITES = "interlock_writes"
_LIVENESS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""Of libpq, in seconds: a network that swallows everything would be waited for during hours."""


def parse_url(text: str) -> URL:
    """The URL of a ledger.

    Raises:
        LedgerError: it is no URL, or of a database that a ledger cannot be kept in.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        # The text may hold a password, so it is not shown.
        raise LedgerError(
            "the ledger's address is no URL", hint='ledger = "sqlite:///.interlock/ledger.db"'
        ) from None
    backend = url.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise LedgerError(
            f"a ledger cannot be kept in {backend}", hint="use sqlite:/// or postgresql://"
        )
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise LedgerError(
            "a ledger in memory keeps nothing", hint='ledger = "sqlite:///.interlock/ledger.db"'
        )
    return url.set(drivername="postgresql+psycopg") if backend == "postgresql" else url


def place(url: URL) -> str:
    """Where a ledger is, without anything of its URL that may be secret."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"postgresql {url.host or 'local'}/{url.database or ''}"


def connect(url: URL) -> Engine:
    """An engine whose commits are durable and whose statements show no parameters.

    Raises:
        LedgerError: the driver is not installed.
    """
    try:
        if url.get_backend_name() == "sqlite":
            engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _WAIT})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            if not str(url.database).startswith("file:"):
                _stay_with_the_file(engine, str(url.database))
        else:
            engine = create_engine(url, hide_parameters=True, connect_args=_unless_said(url))
            event.listen(engine, "connect", _prepare_postgresql)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise LedgerError(
            f"a ledger in {url.get_backend_name()} needs a driver that is not installed",
            hint="pip install 'interlock-core[postgresql]'",
        ) from error
    return engine


def _unless_said(url: URL) -> dict[str, int]:
    """How soon a silent server counts as gone, where the URL says nothing of it."""
    return {name: value for name, value in _LIVENESS.items() if name not in url.query}


def for_writing(engine: Engine) -> Engine:
    """The same engine, its transactions taking the write lock when they begin."""
    return engine.execution_options(**{_WRITES: True})


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # We begin transactions ourselves: the driver would begin them too late for a lock.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _stay_with_the_file(engine: Engine, path: str) -> None:
    """Let go of a connection to a file that was moved, or in whose place another was put.

    SQLite goes on with the file that it opened: who restored a copy would be heard by nobody.
    """

    def connected(_connection: Any, record: Any) -> None:
        record.info["file"] = file_id(path)

    def taken(_connection: Any, record: Any, _proxy: Any) -> None:
        there = file_id(path)
        if there == record.info["file"]:
            return
        if there is None:
            said = sqlite3.OperationalError("unable to open database file")
            raise OperationalError(None, None, said, hide_parameters=True)
        raise DisconnectionError

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", taken)


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    # On the driver's own connection: through SQLAlchemy it would cost more than all else here.
    connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    autocommit = connection.autocommit
    # A setting made in a transaction would be undone with it.
    connection.autocommit = True
    connection.execute(f"SET search_path TO {SCHEMA}")
    connection.execute("SET synchronous_commit TO on")
    connection.execute(f"SET lock_timeout TO '{_WAIT}s'")
    connection.autocommit = autocommit


_HINTS = (
    ("refuses", "nothing changes what happened: interlock erases a payload, and tells of it"),
    ("permission denied", "as the owner of the ledger: interlock ledger grant ROLE"),
    # A schema that a role may not use is passed over without a word.
    ('"meta" does not exist', "make it, or as its owner: interlock ledger grant ROLE"),
    ("must be owner", "run it as the owner of the ledger's tables"),
    ("locked", "another process holds it: wait for it or end it, then run the command again"),
    ("full", "free some space, then run the command again: nothing was half written"),
    ("disk I/O", "look at the disk, its space and its quota, then run the command again"),
    ("readonly", "give this account the right to write the file and its folder"),
    ("read-only", "give this account the right to write the file and its folder"),
    ("unable to open", "check that the folder exists and that this account may write it"),
    ("malformed", "it is damaged: restore a copy, then interlock audit verify"),
    ("not a database", "it is no SQLite file: check the ledger's address"),
)


def failed(url: URL, doing: str, error: Exception) -> LedgerError:
    """What a database said, in a line, with what to do about it."""
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    hint = next((hint for word, hint in _HINTS if word in said), "")
    if not hint and is_away(error):
        hint = "start the server or wait for it; interlock run --resume goes on with a run"
    return LedgerError(f"the ledger {place(url)} cannot be {doing}: {said}", hint=hint)
