"""A ledger of another version is migrated after a copy, or refused with both versions named."""

import errno
import os
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import create_engine

from interlock.errors import LedgerError
from interlock.ledger import upgrade, verify
from interlock.ledger.values import REVISION


def schema(path):
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: "".join(sql.split()) for name, sql in found if name != "alembic_version"}


def change(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def first_version(older, tmp_path):
    """A ledger with a life in it as the first revision has it: the chain, and nothing else."""
    older(f"sqlite:///{tmp_path}/ledger.db", "0001")
    return tmp_path / "ledger.db"


def test_migrations_and_the_tables_give_one_schema(open_ledger, migrated, tmp_path):
    """From nothing through every revision, or made at once: the same tables, indexes, triggers."""
    open_ledger()
    engine = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with engine.begin() as connection:
        migrated(connection, "head")
    engine.dispose()
    assert schema(tmp_path / "migrated.db") == schema(tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "migrated.db")) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(REVISION,)]


def test_an_older_file_is_copied_then_migrated_with_its_data(open_ledger, life, first_version):
    """Opening it is enough; the copy beside it is as it was."""
    before = first_version.with_name("ledger.db.0001.bak")
    ledger = open_ledger()
    assert verify(ledger).problems == ()
    assert ledger.reads.runs("employment")[0]["status"] == "done"
    with closing(sqlite3.connect(before)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert (count, version) == (2 * len(life("p", "a")), "0001")
    open_ledger()


@pytest.mark.parametrize("number", range(1, int(REVISION)))
def test_every_earlier_revision_migrates_with_its_data(open_ledger, life, older, tmp_path, number):
    """Nothing is lost, everything follows from the events, and the guards stand."""
    revision = f"{number:04d}"
    older(f"sqlite:///{tmp_path}/ledger.db", revision)
    assert upgrade(f"sqlite:///{tmp_path}/ledger.db") == (revision, REVISION)
    report = verify(open_ledger())
    assert (report.problems, report.events) == ((), 2 * len(life("p", "a")))
    with pytest.raises(sqlite3.IntegrityError, match="the ledger refuses DELETE of events"):
        change(tmp_path / "ledger.db", "DELETE FROM events")


def test_a_migration_that_fails_changes_nothing(open_ledger, first_version):
    """A table of that name is in the way: the file stays of the first version."""
    change(first_version, "CREATE TABLE verdicts (x)")
    before = schema(first_version)
    with pytest.raises(LedgerError, match="cannot be migrated"):
        open_ledger()
    assert schema(first_version) == before


def test_a_ledger_that_cannot_be_made_leaves_nothing(open_ledger, tmp_path, monkeypatch):
    """On a full disk the journal of what was begun is what fills it: it goes, too."""

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("interlock.ledger.guards.install", full)
    with pytest.raises(LedgerError, match=r"cannot be made: .*No space left on device"):
        open_ledger()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["0999", "somebody-elses"])
def test_a_newer_ledger_is_refused_naming_both_versions(open_ledger, tmp_path, version):
    """Nothing of it is touched."""
    open_ledger()
    change(tmp_path / "ledger.db", f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(LedgerError, match=f"{version}.*{REVISION}"):
        open_ledger()
    with pytest.raises(LedgerError, match=f"{version}.*{REVISION}"):
        upgrade(f"sqlite:///{tmp_path}/ledger.db")


def test_upgrading_says_from_where_to_where(first_version):
    """And a second time there is nothing to do."""
    url = f"sqlite:///{first_version}"
    assert upgrade(url) == ("0001", REVISION)
    assert upgrade(url) == (REVISION, REVISION)
