"""From an older schema to the present one, by Alembic, which is imported for nothing else.

The chain is migrated as it is. The projections follow from it, so a migration makes their tables
and leaves the rows to a rebuild from the events.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from interlock.errors import LedgerError
from interlock.ledger import engine as engines
from interlock.ledger.rebuild import rebuild
from interlock.ledger.schema import LOCK, refuse_newer, stamp
from interlock.ledger.values import REVISION

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL


def upgrade(url: str) -> tuple[str, str]:
    """Migrate a ledger to the schema of this version; nothing changes where it has that.

    Args:
        url: of an existing ledger.

    Returns:
        The revision before, and the one now.

    Raises:
        LedgerError: there is no ledger, it is of a newer version, or the migration failed; then
            nothing was changed.
    """
    parsed = engines.parse_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and not Path(str(parsed.database)).exists():
        raise LedgerError(f"there is no ledger at {parsed.database}")
    engine = engines.connect(parsed)
    try:
        return migrate_file(engine, parsed) if sqlite else _migrate_server(engine, parsed)
    finally:
        engine.dispose()


def migrate_file(engine: Engine, url: URL) -> tuple[str, str]:
    """Copy a SQLite ledger to a file beside it, then migrate it in one transaction.

    Raises:
        LedgerError: it is of a newer version, or the migration failed.
    """
    path = Path(str(url.database))
    try:
        with engines.for_writing(engine).begin() as connection:
            # Another process may have migrated it while this one waited for the lock.
            _, before = stamp(connection)
            refuse_newer(url, before)
            if before != REVISION:
                _copy(path, path.with_name(f"{path.name}.{before}.bak"))
                _run(connection)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise engines.failed(url, "migrated", error) from error
    return before, REVISION


def _migrate_server(engine: Engine, url: URL) -> tuple[str, str]:
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            _, before = stamp(connection)
            refuse_newer(url, before)
            if before != REVISION:
                _run(connection)
    except SQLAlchemyError as error:
        raise engines.failed(url, "migrated", error) from error
    return before, REVISION


def _copy(path: Path, copy: Path) -> None:
    """A copy of the last committed state, whole or not at all; an earlier copy is kept."""
    if copy.exists():
        return
    draft = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        with (
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(draft)) as target,
        ):
            source.backup(target)
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "interlock.ledger:migrations")
    config.set_main_option("path_separator", "os")
    command.upgrade(config, REVISION)
    rebuild(connection)
