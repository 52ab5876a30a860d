"""The database: from a URL to transactions, with errors that carry no secret."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from sqlalchemy import NullPool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from interlock_hookspecs import InvalidInput, Secret, Unavailable, Unsupported, reveal
from interlock_registry_sql.kept import Kept
from interlock_registry_sql.schema import prepare

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Select

PATIENCE = 60
"""Seconds that a writer waits for the others. 32 writers on one SQLite file waited up to 5.4 s."""

CONNECT_TIMEOUT = 10
"""Seconds after which a PostgreSQL server counts as unreachable, where the URL says no other."""


@attrs.frozen(eq=False)
class Database:
    """An engine whose tables exist, and what an error calls the place.

    Nothing is open between two transactions; only lookups keep a connection for the next, which
    a fork closes. So a process may fork, or run threads, with this in hand.
    """

    engine: Engine
    place: str
    kept: Kept

    def look_up(self, query: Select[Any], values: Mapping[str, Any]) -> list[Any]:
        """The rows of one statement, which is read outside any transaction."""
        with _explained(self.place):
            return self.kept.fetch(query, values)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the tables."""
        with _explained(self.place), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that takes SQLite's write lock first, or waits for it.

        A transaction that reads and then writes would fail where another wrote in between.
        """
        writer = self.engine.execution_options(writes=True)
        with _explained(self.place), writer.begin() as connection:
            yield connection


def open_database(url: str | Secret[str], root: Path) -> Database:
    """The database behind the setting ``url``, its tables made where there were none.

    Args:
        url: as the stack file says it. What comes from the environment is named nowhere.
        root: the folder that a relative SQLite path starts from.

    Raises:
        InvalidInput: it is no URL, or names no file.
        Unsupported: neither SQLite nor PostgreSQL, or its driver is not installed, or its
            tables are of a newer version of this plugin.
        Unavailable: the database cannot be reached.
    """
    address = _address(url, root)
    place = "the database that `url` names" if isinstance(url, Secret) else _place(address)
    engine = _engine(address)
    database = Database(engine, place, Kept(engine, functools.partial(_mark, address)))
    with _explained(place):
        if address.get_backend_name() == "sqlite":
            _make_folder(address, place)
            _use_wal(database.engine)
        prepare(database.engine, place)
    return database


def _address(url: str | Secret[str], root: Path) -> URL:
    try:
        parsed = make_url(reveal(url))
    except (ArgumentError, ValueError):
        msg = "registry-sql: `url` is no database URL: write for example sqlite:///registry.db"
        # The cause quotes the URL, and with it a password.
        raise InvalidInput(msg) from None
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        msg = f"registry-sql: {backend} is not served: `url` is sqlite:///FILE or postgresql://..."
        raise Unsupported(msg)
    file = parsed.database
    if not file or file == ":memory:" or file.startswith("file:"):
        msg = "registry-sql: `url` names no file: write for example sqlite:///registry.db"
        raise InvalidInput(msg)
    return parsed.set(database=str((root / file).absolute()))


def _place(address: URL) -> str:
    """What an error may say: never a user, a password or a query, which may hold one."""
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    port = f":{address.port}" if address.port else ""
    return f"postgresql://{address.host or 'local'}{port}/{address.database or ''}"


def _engine(address: URL) -> Engine:
    sqlite = address.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": PATIENCE} if sqlite else {}
    # Both drivers take parameters by name then, as lookups give them.
    style: Any = "named" if sqlite else "pyformat"
    if not sqlite and "connect_timeout" not in address.query:
        arguments["connect_timeout"] = CONNECT_TIMEOUT
    try:
        engine = create_engine(
            address,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args=arguments,
            paramstyle=style,
        )
    except ModuleNotFoundError as error:
        msg = (
            f"registry-sql: {error.name} is not installed: "
            'pip install "interlock-registry-sql[postgresql]"'
        )
        raise Unsupported(msg) from error
    if sqlite:
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes late and never says IMMEDIATE; _on_begin says ours.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _mark(address: URL) -> tuple[int, int] | None:
    """Which file is there; a server is always the same."""
    if address.get_backend_name() != "sqlite":
        return None
    try:
        found = Path(str(address.database)).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make_folder(address: URL, place: str) -> None:
    try:
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"registry-sql: cannot make the folder of {place}: {error.strerror}"
        raise Unavailable(msg) from error


def _use_wal(engine: Engine) -> None:
    """Switch the file to WAL, once in its life; readers and the writer then pass each other.

    SQLite does not wait for others here, busy timeout or not, so this does.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
        finally:
            raw.close()


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = _cause(error.orig if isinstance(error, DBAPIError) else error)
        msg = f"registry-sql: {place} cannot be used now: {cause}"
        raise Unavailable(msg) from error


def _cause(error: BaseException | None) -> str:
    """SQLite's own words name no secret; PostgreSQL's name hosts and users, so its code must do."""
    if isinstance(error, sqlite3.Error):
        return str(error)
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} (SQLSTATE {state})" if state else "it does not answer"
