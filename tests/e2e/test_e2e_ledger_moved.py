"""The file of a ledger is taken away, or another is put in its place, under a server that runs."""

import sqlite3
from contextlib import closing

import pytest

pytestmark = pytest.mark.real_backend

OTHER = ("--set", "train-sklearn.parameters.max_depth=2")


@pytest.fixture
def served(project, until):
    """A project with two releases, whose server has noted what it may go back to."""
    made = project(policy="approvals = 0\noffline_grace = '1h'")
    made("run")
    made.first = made.endpoint["release"]
    made("run", *OTHER)
    made.home = made.folder / ".interlock"
    notes = made.home / "servers"
    until(lambda: any(made.first in note.read_text() for note in notes.glob("*.standby")))
    return made


def copy(project):
    """A copy of the ledger as it is now, as a backup has it."""
    path = project.home / "copy.db"
    with closing(sqlite3.connect(path)) as to, closing(sqlite3.connect(project.ledger)) as whole:
        whole.backup(to)
    return path


def put(path, place):
    """Put a ledger in the place of another, without what SQLite keeps beside that."""
    for more in ("-wal", "-shm"):
        place.with_name(place.name + more).unlink(missing_ok=True)
    path.replace(place)


@pytest.fixture(autouse=True)
def _ledger(served):
    served.ledger = served.home / "ledger.db"


def test_a_release_is_revoked_in_a_ledger_that_was_restored(served, until):
    """The server hears of it: it reads the file that is there, not the one that was."""
    put(copy(served), served.ledger)
    serving = served.endpoint["serving"]
    served("revoke", serving[0], "--reason", "wrong rows")
    until(lambda: served.endpoint["serving"] == [])


def test_a_new_ledger_in_its_place_is_none_that_the_server_knows(served, until):
    """It serves on as without one, goes back as without one, and writes to the true one alone."""
    address, (live,) = served.endpoint["address"], served.endpoint["serving"]
    kept = copy(served)
    for file in served.home.glob("ledger.db*"):
        file.unlink()
    # The first command makes a new one, which knows of nothing.
    assert served.listed("deployments") == []
    said = served("rollback")
    assert "it is another, or an older copy" in said.err
    assert "it is recorded when the ledger is there again" in said.out
    assert served.listed("deployments") == []
    put(kept, served.ledger)
    until(lambda: served.endpoint["release"] == served.first)
    row = served.endpoint
    assert (row["address"], row["serving"]) == (address, [served.first])
    assert served.first != live
    served("audit", "verify")
