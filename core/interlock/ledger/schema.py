"""Whether a database holds a ledger that this version can work with; making one where it may."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Engine, MetaData, Table, Text, create_engine, insert, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from interlock.durable import sync
from interlock.errors import LedgerError
from interlock.ids import new_id
from interlock.ledger import engine as engines
from interlock.ledger import guards
from interlock.ledger.tables import meta, metadata
from interlock.ledger.values import REVISION, SCHEMA

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOCK = 0x1A7E710C
"""Of PostgreSQL's advisory locks, the one that making and migrating a ledger take."""

Migrate = Callable[[Engine, URL], object]
"""Brings a SQLite ledger to the present schema."""


def ready(engine: Engine, url: URL, *, create: bool, migrate: Migrate) -> str:
    """The id of a ledger that this version can work with.

    Args:
        engine: of its database.
        url: where it is.
        create: whether to make one where there is none.
        migrate: called where it is a file of an older version.

    Raises:
        LedgerError: there is none and none may be made, or it is of another version.
    """
    if url.get_backend_name() == "sqlite":
        return _ready_file(engine, url, create=create, migrate=migrate)
    try:
        with engine.connect() as connection:
            there = inspect(connection).has_table("meta", schema=SCHEMA)
        if not there:
            if not create:
                raise LedgerError(f"there is no ledger at {engines.place(url)}")
            _create_in_server(engine)
        with engine.connect() as connection:
            found, revision = stamp(connection)
    except SQLAlchemyError as error:
        raise engines.failed(url, "opened", error) from error
    if revision != REVISION:
        refuse_newer(url, revision)
        raise LedgerError(
            f"the ledger {engines.place(url)} has schema {revision}, this Interlock needs "
            f"{REVISION}",
            hint="interlock ledger upgrade",
        )
    return found


def stamp(connection: Connection) -> tuple[str, str]:
    """The ledger's id and the revision of its schema."""
    rows = connection.execute(
        text("SELECT meta.id, alembic_version.version_num FROM meta, alembic_version")
    ).all()
    if len(rows) != 1:
        raise LedgerError(f"the ledger says {len(rows)} times who it is and of which version")
    return str(rows[0][0]), str(rows[0][1])


def refuse_newer(url: URL, revision: str) -> None:
    """Refuse a ledger of a revision that this version does not know.

    Raises:
        LedgerError: naming both.
    """
    if not revision.isdigit() or revision > REVISION:
        raise LedgerError(
            f"the ledger {engines.place(url)} has schema {revision}, this Interlock knows up to "
            f"{REVISION}",
            hint="pip install --upgrade interlock",
        )


def _ready_file(engine: Engine, url: URL, *, create: bool, migrate: Migrate) -> str:
    path = Path(str(url.database))
    if not path.exists():
        if not create:
            raise LedgerError(f"there is no ledger at {path}")
        _create_file(path)
    try:
        with engine.connect() as connection:
            found, revision = stamp(connection)
    except SQLAlchemyError as error:
        if "no such table" in str(error):
            raise LedgerError(
                f"{path} holds no ledger", hint="restore it, or name another file as the ledger"
            ) from error
        raise engines.failed(url, "opened", error) from error
    if revision != REVISION:
        refuse_newer(url, revision)
        migrate(engine, url)
    return found


def _create_file(path: Path) -> None:
    """Make the file whole under another name first: nobody ever sees half a ledger.

    Of two processes that make it at once, one wins and the other finds it.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The journal's mode is kept in the file: it is set once, where nobody else is.
        with sqlite3.connect(draft) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        engine = create_engine(URL.create("sqlite", database=str(draft)))
        try:
            with engine.begin() as connected:
                create_all(connected)
        finally:
            engine.dispose()
        sync(draft)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        sync(path.parent)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise engines.failed(URL.create("sqlite", database=str(path)), "made", error) from error
    finally:
        # Where it failed, as on a full disk, the journal is there too, and is the most of it.
        for end in ("", "-wal", "-shm"):
            draft.with_name(draft.name + end).unlink(missing_ok=True)


def _create_in_server(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        if not inspect(connection).has_table("meta", schema=SCHEMA):
            create_all(connection)


def create_all(connection: Connection) -> None:
    """Make the tables as the migrations would, without importing Alembic."""
    metadata.create_all(connection)
    guards.install(connection)
    version = Table("alembic_version", MetaData(), Column("version_num", Text, primary_key=True))
    version.create(connection)
    connection.execute(insert(version).values(version_num=REVISION))
    connection.execute(insert(meta).values(id=new_id("ledger")))
