"""An application works with a team's ledger under a role that can read and append, and no more."""

from contextlib import closing

import psycopg
import pytest
from sqlalchemy.engine import make_url

from interlock.errors import LedgerError, UsageError
from interlock.ledger import Ledger, upgrade, verify
from interlock.ledger.roles import grant, grants
from interlock.ledger.tables import PROJECTIONS
from interlock_hookspecs import Actor

pytestmark = pytest.mark.real_backend
ANA = Actor(subject="ana")


@pytest.fixture
def owner(url):
    """A ledger, opened by who owns its tables."""
    with Ledger.open(url, actor=ANA) as ledger:
        yield ledger


@pytest.fixture
def role(url, postgresql):
    """Make a role of the server; gives the ledger's address for it."""
    made = []

    def make(name):
        with closing(psycopg.connect(postgresql.address, autocommit=True)) as connection:
            connection.execute(f'CREATE ROLE "{name}" LOGIN')
        made.append(name)
        return make_url(url).set(username=name).render_as_string()

    yield make
    with closing(psycopg.connect(postgresql.address, autocommit=True)) as connection:
        for name in made:
            connection.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


def test_a_role_with_the_grants_lives_a_model_s_life(owner, role, live):
    """It opens, appends, reads and verifies; it cannot migrate, and need not."""
    address = role("app")
    grant(owner, "app")
    with Ledger.open(address, actor=ANA) as ledger:
        live(ledger)
        assert verify(ledger).ok
        assert ledger.reads.runs("employment")[0]["status"] == "done"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE interlock.events SET kind = 'x'",
        "DELETE FROM interlock.events",
        "TRUNCATE interlock.events",
        "UPDATE interlock.payloads SET body = NULL",
        "DELETE FROM interlock.payloads",
        "UPDATE interlock.heads SET project = 'x'",
        "DELETE FROM interlock.heads",
        "UPDATE interlock.meta SET id = 'x'",
        "UPDATE interlock.alembic_version SET version_num = '0001'",
        "ALTER TABLE interlock.events DISABLE TRIGGER USER",
        "DROP TRIGGER events_update_guard ON interlock.events",
        "DROP TABLE interlock.events",
        "CREATE TABLE interlock.more (x int)",
        "SET session_replication_role = replica",
        (
            "CREATE OR REPLACE FUNCTION interlock.refuse_change() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN NEW; END'"
        ),
    ],
)
def test_a_role_with_the_grants_changes_nothing_that_happened(owner, role, live, statement):
    """The server refuses, whatever client it uses."""
    live(owner)
    address = role("app")
    grant(owner, "app")
    with (
        closing(psycopg.connect(address)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)
    assert verify(owner).ok


def test_only_a_role_that_may_erase_erases(owner, role, live):
    """And it does so in the one permitted way: on record, and verifying."""
    target = live(owner)[4].id
    address = role("app")
    grant(owner, "app")
    with Ledger.open(address, actor=ANA) as ledger:
        with pytest.raises(LedgerError, match="permission denied") as caught:
            ledger.erase(target, reason="asked")
        assert "interlock ledger grant" in caught.value.hint
    grant(owner, "app", erase=True)
    with Ledger.open(address, actor=ANA) as ledger:
        ledger.erase(target, reason="asked")
        assert verify(ledger).erased == (target,)
    with (
        closing(psycopg.connect(address)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="refuses UPDATE of payloads"),
    ):
        connection.execute("UPDATE interlock.payloads SET salt = NULL, body = NULL")
    # Granted again without it, the right is gone.
    grant(owner, "app")
    with Ledger.open(address, actor=ANA) as ledger, pytest.raises(LedgerError):
        ledger.erase(ledger.reads.events("employment")[0]["id"], reason="asked")


def test_a_role_without_grants_is_told_what_it_lacks(owner, role):
    """And so is one that would make a ledger where there is none, or migrate one."""
    address = role("nobody")
    with pytest.raises(LedgerError, match='"meta" does not exist') as caught:
        Ledger.open(address, actor=ANA)
    assert "interlock ledger grant" in caught.value.hint
    grant(owner, "nobody")
    with owner.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'")
    with pytest.raises(LedgerError, match=r"must be owner|permission denied"):
        upgrade(address)


def test_a_name_is_quoted_where_it_must_be(owner, role):
    """A role's name is no place to write SQL in."""
    name = 'x; DROP TABLE "y'
    role('x; DROP TABLE ""y')
    grant(owner, name)
    assert '"x; DROP TABLE ""y"' in grants(name)[0]


@pytest.mark.parametrize(("name", "says"), [("none", "no role 'none'"), ("postgres", "owns")])
def test_a_role_that_cannot_be_held_is_refused(owner, name, says):
    """One that is not there, and one that could switch the guards off."""
    with pytest.raises(UsageError, match=says) as caught:
        grant(owner, name)
    assert caught.value.hint


def test_the_grants_name_every_table():
    """A new projection is not forgotten."""
    assert all(f"interlock.{name}" in " ".join(grants("app")) for name in PROJECTIONS)
