"""The same ledger in PostgreSQL: a real server, started for these tests."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from interlock.errors import LedgerError
from interlock.ledger import Ledger, upgrade, verify, verify_checkpoint, write_checkpoint
from interlock.ledger.values import REVISION
from interlock_hookspecs import Actor

pytestmark = pytest.mark.real_backend
ANA = Actor(subject="ana")


def test_a_life_verifies_and_an_erasure_too(url, live, tmp_path):
    """Appended, verified, anchored, erased, verified again."""
    with Ledger.open(url, actor=ANA) as ledger:
        written = live(ledger)
        live(ledger, "housing", "b")
        write_checkpoint(ledger, tmp_path / "checkpoint.json")
        ledger.erase(written[17].id, reason="asked")
        report = verify_checkpoint(ledger, tmp_path / "checkpoint.json")
        assert (report.problems, len(report.erased)) == ((), 1)
        assert 8 in [run["pid"] for run in ledger.reads.runs("employment", status="done")]


def change(ledger, *statements):
    with ledger.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def catalogue(ledger):
    asked = """
        SELECT table_name || column_name || data_type || is_nullable
        FROM information_schema.columns
        WHERE table_schema = 'interlock' AND table_name <> 'alembic_version'
        UNION ALL SELECT indexdef FROM pg_indexes
        WHERE schemaname = 'interlock' AND tablename <> 'alembic_version'
        UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    """
    with ledger.engine.begin() as connection:
        return sorted(connection.execute(text(asked)).scalars())


@pytest.mark.parametrize("table", ["events", "payloads", "heads", "releases", "checks"])
def test_a_row_that_the_owner_deletes_is_named(url, live, table):
    """As on SQLite, once the triggers are off."""
    with Ledger.open(url, actor=ANA) as ledger:
        live(ledger)
        first = f"SELECT min(ctid) FROM {table}"
        change(
            ledger,
            f"ALTER TABLE {table} DISABLE TRIGGER USER",
            f"DELETE FROM {table} WHERE ctid = ({first})",
        )
        assert verify(ledger).problems[0].table == table


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("UPDATE events SET kind = 'x' WHERE sequence = 3", "UPDATE of events"),
        ("DELETE FROM events", "DELETE of events"),
        ("TRUNCATE events", "TRUNCATE of events"),
        ("TRUNCATE payloads", "TRUNCATE of payloads"),
        ("DELETE FROM payloads WHERE sequence = 3", "DELETE of payloads"),
        ("UPDATE payloads SET body = NULL WHERE sequence = 3", "UPDATE of payloads"),
        (
            (
                "CREATE TEMP TABLE events AS SELECT project, 'payload.erased'::text AS kind, "
                "'now'::text AS at, id AS subject FROM interlock.events; UPDATE interlock.payloads "
                "SET salt = NULL, body = NULL, erased_at = 'now', reason = 'x' WHERE sequence = 3"
            ),
            "UPDATE of payloads",
        ),
        ("UPDATE heads SET sequence = 1", "UPDATE of heads"),
        ("UPDATE heads SET digest = 'x'", "UPDATE of heads"),
        ("DELETE FROM heads", "DELETE of heads"),
        ("TRUNCATE heads", "TRUNCATE of heads"),
    ],
)
def test_what_happened_is_not_changed_even_by_the_owner(url, live, statement, refused):
    """Not by accident: the owner would have to switch the guards off first."""
    with Ledger.open(url, actor=ANA) as ledger:
        live(ledger)
        with pytest.raises(DBAPIError, match=f"the ledger refuses {refused}"):
            change(ledger, statement)
        assert verify(ledger).ok


def test_many_writers_append_at_once(url):
    """Sixteen connections that all begin with an empty database."""

    def write(number):
        with Ledger.open(url, actor=ANA) as ledger:
            return [ledger.append("p", "a", f"x-{number}", {}).sequence for _ in range(5)]

    with ThreadPoolExecutor(16) as pool:
        told = [sequence for some in pool.map(write, range(16)) for sequence in some]
    assert sorted(told) == list(range(1, 81))
    with Ledger.open(url, actor=ANA) as ledger:
        assert verify(ledger).ok


def test_an_older_database_is_migrated_only_when_asked(url, older):
    """Opening it refuses with both versions and the command."""
    older(url, "0001")
    with pytest.raises(LedgerError, match=f"0001.*{REVISION}") as caught:
        Ledger.open(url, actor=ANA)
    assert caught.value.hint == "interlock ledger upgrade"


@pytest.mark.parametrize("number", range(1, int(REVISION)))
def test_every_earlier_revision_migrates_with_its_data(url, life, older, number):
    """Nothing is lost, everything follows from the events, and the guards stand."""
    revision = f"{number:04d}"
    older(url, revision)
    assert upgrade(url) == (revision, REVISION)
    with Ledger.open(url, actor=ANA) as ledger:
        report = verify(ledger)
        assert (report.problems, report.events) == ((), 2 * len(life("p", "a")))
        with pytest.raises(DBAPIError, match="the ledger refuses DELETE of events"):
            change(ledger, "DELETE FROM events")


def test_migrations_and_the_tables_give_one_schema(url, older):
    """From nothing through every revision, or made at once: columns, indexes and triggers."""
    with Ledger.open(url, actor=ANA) as ledger:
        made = catalogue(ledger)
        change(ledger, "DROP SCHEMA interlock CASCADE")
    older(url, REVISION)
    with Ledger.open(url, actor=ANA) as ledger:
        assert catalogue(ledger) == made


def test_an_unreachable_server_shows_no_password(url):
    """The error says where, and what the driver said."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql://ana:hunter2@127.0.0.1:1/ledger", actor=ANA)
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1/ledger" in str(caught.value)
