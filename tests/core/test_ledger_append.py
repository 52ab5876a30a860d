"""What is appended is there, whole and in order, whoever else appends and whoever is killed."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from interlock.errors import LedgerError
from interlock.ledger import Entry, verify
from interlock_hookspecs import Actor

BEN = Actor(subject="ben", verified="oidc")

APPEND = """
import os, sys
from interlock.ledger import Entry, Ledger
from interlock_hookspecs import Actor

url, processes, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(processes):
    if os.fork() == 0:
        ledger = Ledger.open(url, actor=Actor(subject=f"writer-{number}"))
        for turn in range(count):
            run = f"run-{number}-{turn}"
            event = ledger.append("shared", "run.started", run, {"stack": "dev"})
            os.write(1, b"%d\\n" % event.sequence)  # one write: lines of processes stay apart
        os._exit(0)
ended = [os.wait()[1] for _ in range(processes)]
sys.exit(max(ended))
"""


def start(url, processes, count):
    return subprocess.Popen(
        [sys.executable, "-c", APPEND, url, str(processes), str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_importing_the_ledger_imports_no_database_library():
    """The cost comes with opening a ledger; Alembic's comes with a migration alone."""
    script = (
        "import sys, tempfile, interlock.ledger as ledger\n"
        "assert not {'sqlalchemy', 'alembic', 'cryptography'} & sys.modules.keys()\n"
        "from interlock_hookspecs import Actor\n"
        "url = f'sqlite:///{tempfile.mkdtemp()}/ledger.db'\n"
        "ledger.Ledger.open(url, actor=Actor(subject='ana'))\n"
        "assert not {'alembic', 'cryptography'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_events_of_a_project_are_one_chain(open_ledger):
    """Sequences count from one in each project, and every digest covers the one before it."""
    ledger = open_ledger()
    first, second = ledger.append_all("p", [Entry("a", "x-1"), Entry("b", "x-1", {"n": (1, 2)})])
    other = ledger.append("q", "a", "x-2", {})
    assert (first.sequence, second.sequence, other.sequence) == (1, 2, 1)
    assert len({first.digest, second.digest, other.digest}) == 3
    assert second.payload["n"] == [1, 2]


def test_an_event_says_who_and_of_which_run(open_ledger):
    """The run comes from the payload where it is not said, and another actor may be named."""
    ledger = open_ledger()
    ledger.append("p", "candidate.made", "candidate-1", {"run": "run-1"}, actor=BEN)
    (event,) = ledger.reads.events("p", run="run-1")
    assert (event["actor"], event["verified"]) == ("ben", "oidc")


def test_observers_hear_after_the_commit_and_cannot_undo_it(open_ledger):
    """One that raises is logged; the event stands, and the next is heard too."""
    heard = []

    def hear(event):
        heard.append((event.kind, len(ledger.reads.events("p"))))
        raise RuntimeError(event.kind)

    ledger = open_ledger(observers=hear)
    ledger.append_all("p", [Entry("a", "x"), Entry("b", "x")])
    assert heard == [("a", 2), ("b", 2)]


@pytest.mark.parametrize(
    "payload",
    [
        {"score": float("nan")},
        {"scores": [None, {"deep": float("inf")}]},
        {"when": object()},
        {1: "a key that is no text"},
        {"stack": 7},
    ],
)
def test_a_payload_that_would_not_come_back_the_same_is_refused(open_ledger, payload):
    """NaN, objects, keys that are no text, a value of another type: nothing of it is written."""
    ledger = open_ledger()
    with pytest.raises(LedgerError, match=r"run\.started cannot be written"):
        ledger.append_all("p", [Entry("ok", "x"), Entry("run.started", "run-1", payload)])
    assert ledger.reads.events("p") == []
    assert verify(ledger).ok


def test_a_guard_sees_what_stands_and_its_no_is_final(open_ledger):
    """What it checks and what is written upon it are one transaction."""
    ledger = open_ledger()
    ledger.append("p", "run.started", "run-1", {"pid": 1})

    def mine(reads):
        if reads.run("run-1")["pid"] != 1:
            raise ValueError("somebody else took it")

    ledger.append("p", "run.resumed", "run-1", {"pid": 2}, guard=mine)
    with pytest.raises(ValueError, match="somebody else"):
        ledger.append("p", "run.resumed", "run-1", {"pid": 3}, guard=mine)
    assert ledger.reads.run("run-1")["pid"] == 2


def test_commits_are_durable(open_ledger):
    """The journal is a write-ahead log and each commit is synced."""
    with open_ledger().engine.connect() as connection:
        said = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert said == ["wal", 2, 120_000]


@pytest.mark.parametrize(("processes", "count"), [(16, 4), (32, 2)])
def test_many_processes_append_to_one_new_ledger_at_once(open_ledger, tmp_path, processes, count):
    """No event is lost, no sequence given twice, and none fails for waiting."""
    with start(f"sqlite:///{tmp_path}/ledger.db", processes, count) as writers:
        told = sorted(int(line) for line in writers.stdout)
    assert writers.returncode == 0
    assert told == list(range(1, processes * count + 1))
    assert verify(open_ledger()).events == processes * count
    assert verify(open_ledger()).ok


@pytest.mark.parametrize("after", [1, 5, 12])
def test_a_killed_writer_leaves_what_it_was_told_is_written(open_ledger, tmp_path, after):
    """SIGKILL between or within appends: the ledger verifies and goes on."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    open_ledger()
    script = APPEND.replace("if os.fork() == 0:", "if True:")
    with subprocess.Popen(
        [sys.executable, "-c", script, url, "1", "100000"], stdout=subprocess.PIPE, text=True
    ) as writer:
        told = [int(writer.stdout.readline()) for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
    ledger = open_ledger()
    report = verify(ledger)
    assert report.ok
    assert report.events >= told[-1] == after
    assert ledger.append("shared", "a", "x", {}).sequence == report.events + 1


def test_a_locked_ledger_says_what_to_do(open_ledger, tmp_path):
    """Where another process keeps the lock too long, nothing is written and the error says so."""
    ledger = open_ledger()
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ledger.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=10")
        with pytest.raises(LedgerError, match="locked") as caught:
            ledger.append("p", "a", "x", {})
    assert "another process" in caught.value.hint


def test_a_full_disk_says_what_to_do_and_leaves_the_ledger_whole(open_ledger):
    """The file may not grow any more."""
    ledger = open_ledger()
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1")
    payload = {"stack": "x" * 1_000_000}
    with pytest.raises(LedgerError, match="full") as caught:
        ledger.append("p", "run.started", "run-1", payload)
    assert "free some space" in caught.value.hint
    assert verify(ledger).ok


def test_a_clock_that_jumps_back_changes_no_order(open_ledger, monkeypatch):
    """Times are the clock's; order is by sequence."""
    from interlock.ledger import writing

    ledger = open_ledger()
    ledger.append("p", "a", "x", {})

    class Past(writing.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(writing, "datetime", Past)
    ledger.append("p", "b", "x", {})
    assert [event["kind"] for event in ledger.reads.events("p")] == ["a", "b"]
    assert verify(ledger).ok


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("no url", "is no URL"),
        ("mysql://root:hunter2@db/x", "cannot be kept in mysql"),
        ("sqlite://", "in memory"),
    ],
)
def test_an_address_that_is_no_place_for_a_ledger_is_refused(url, says):
    """The error shows no password."""
    from interlock.ledger import Ledger

    with pytest.raises(LedgerError, match=says) as caught:
        Ledger.open(url, actor=BEN)
    assert "hunter2" not in str(caught.value)


def test_a_ledger_is_not_made_where_none_may_be(open_ledger):
    """With create=False a missing file stays missing."""
    with pytest.raises(LedgerError, match="there is no ledger"):
        open_ledger(create=False)


@pytest.mark.parametrize("content", [b"", b"something else entirely" * 100])
def test_a_file_that_is_no_ledger_is_left_alone(open_ledger, tmp_path, content):
    """An emptied file is not quietly made a new ledger."""
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(LedgerError):
        open_ledger()
    assert (tmp_path / "ledger.db").read_bytes() == content


def test_no_draft_is_left_beside_a_new_ledger(open_ledger, tmp_path):
    """Only the ledger and its journal."""
    open_ledger().append("p", "a", "x", {})
    names = {path.name for path in tmp_path.iterdir()}
    assert names <= {"ledger.db", "ledger.db-wal", "ledger.db-shm"}


def test_a_read_only_ledger_says_what_to_do(open_ledger):
    """It may be read, and not written."""
    ledger = open_ledger()
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises(LedgerError, match="cannot be written") as caught:
        ledger.append("p", "a", "x", {})
    assert "right to write" in caught.value.hint
    assert ledger.reads.events("p") == []
