"""A team's ledger and registry in PostgreSQL: many write at once, and the server may die."""

import json
import subprocess
import sys
import threading
import time
from contextlib import closing

import psycopg
import pytest

from interlock.ledger import Ledger, verify
from interlock_hookspecs import Actor

pytestmark = pytest.mark.real_backend
PROCESSES, APPENDS, EVENTS, VERSIONS = 32, 79, 4, 5
WRITERS = """
import json, os, sys
from types import SimpleNamespace
import logging
from interlock.ids import new_id
from interlock.ledger import Entry, Ledger
from interlock_hookspecs import Actor, Artifact, Model, Signature
from interlock_registry_sql import SqlRegistry

url, processes, appends, events, versions = sys.argv[1], *map(int, sys.argv[2:])
ws = SimpleNamespace(log=logging.getLogger())
for number in range(processes):
    if os.fork() == 0:
        ledger = Ledger.open(url, actor=Actor(subject=f"writer-{number}"))
        registry = SqlRegistry(url=url)
        told = {"sequences": [], "numbers": []}
        for turn in range(appends):
            run = new_id("run")
            written = ledger.append_all("shared", [
                Entry("stage.started", new_id("stage"), {"run": run, "stage": "train"})
            ] * events)
            told["sequences"] += [event.sequence for event in written]
            if turn < versions:
                artifact = Artifact(digest=f"sha256:{number:032x}{turn:032x}", size=1, name="m")
                model = Model(format="skops", artifact=artifact,
                              signature=Signature(kind="regression", inputs=(), outputs=()))
                made = registry.register_version("shared", new_id("version"), model, {}, ws)
                told["numbers"].append(int(made.number))
        os.write(1, json.dumps(told).encode() + b"\\n")  # one write: lines of processes stay apart
        os._exit(0)
ended = [os.wait()[1] for _ in range(processes)]
sys.exit(max(ended))
"""

PROJECT = '''\
"""Ends the server that ENDS names after the start of the stage that AT names."""

import os
import signal
import time
from pathlib import Path

from interlock_hookspecs import hookimpl


def lives(process):
    try:
        return process.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@hookimpl
def on_event(event):
    if event.kind == "stage.started" and event.payload["stage"] == os.environ.get("AT"):
        server = int(os.environ["ENDS"])
        os.kill(server, signal.SIGQUIT)
        # What is asked of a server while it dies fails; this is about one that is gone.
        while lives(Path(f"/proc/{server}/stat")):
            time.sleep(0.01)
'''
HASTE = "from interlock.ledger.patience import Patience\nPatience.seconds = 0.5\n"


@pytest.fixture
def server(start_postgresql):
    """A server of a test's own."""
    return start_postgresql()


@pytest.fixture
def shared(small, server):
    """A small project with its ledger and its registry in that server."""
    small.edit('ledger = "sqlite:///.interlock/ledger.db"', 'ledger = "${LEDGER_URL}"')
    settings = "[stack.dev.train-sklearn]"
    small.edit(settings, f'[stack.dev.registry-sql]\nurl = "${{LEDGER_URL}}"\n\n{settings}')
    (small.folder / "project.py").write_text(PROJECT, encoding="utf-8")
    (small.folder / "haste.py").write_text(HASTE, encoding="utf-8")
    small.environ["LEDGER_URL"] = server.address
    return small


def test_thirty_two_processes_lose_no_event_and_no_number(server):
    """10,112 events in one chain, 160 versions of one name: each sequence and number once."""
    counts = map(str, (PROCESSES, APPENDS, EVENTS, VERSIONS))
    done = subprocess.run(
        [sys.executable, "-c", WRITERS, server.address, *counts],
        check=True,
        capture_output=True,
        text=True,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    sequences = sorted(number for one in told for number in one["sequences"])
    assert sequences == list(range(1, PROCESSES * APPENDS * EVENTS + 1))
    numbers = sorted(number for one in told for number in one["numbers"])
    assert numbers == list(range(1, PROCESSES * VERSIONS + 1))
    with Ledger.open(server.address, actor=Actor(subject="ana")) as ledger:
        report = verify(ledger)
    assert (report.problems, report.events) == ((), len(sequences))


@pytest.mark.parametrize("stage", ["train", "register", "deploy"])
def test_a_server_that_dies_in_a_run_is_said_and_the_run_goes_on_later(shared, server, stage):
    """Two lines and no traceback; when it is back, the record is whole and the run completes."""
    first = shared.folder / "haste.py"
    said = shared("run", expect=1, first=first, AT=stage, ENDS=str(server.pid))
    assert "Traceback" not in said.err
    assert "start the server or wait for it" in said.err
    server.start()
    assert "verify" in shared("audit", "verify").out
    shared("run", "--resume", shared.run["id"])
    assert shared.run["status"] == "done"
    assert len(shared.listed("models")) == 1
    shared("audit", "verify")


def test_a_server_that_comes_back_soon_is_waited_for(shared, server):
    """The run goes on by itself, and nothing is in the record twice."""

    def restart():
        while server.alive():
            time.sleep(0.05)
        server.start()

    thread = threading.Thread(target=restart)
    thread.start()
    shared("run", AT="train", ENDS=str(server.pid))
    thread.join()
    kinds = shared.kinds(shared.run["id"])
    assert kinds.count("stage.finished") == kinds.count("stage.started") == 7
    shared("audit", "verify")


def test_the_owner_lets_a_role_append(shared, server, small):
    """Printed for an operator, or done; a role that is not there is said, with what to type."""
    printed = shared("ledger", "grant", "app", "--sql").out
    assert "GRANT USAGE ON SCHEMA interlock TO app;" in printed.splitlines()
    said = shared("ledger", "grant", "app", expect=2).err
    assert "there is no role 'app'" in said
    with closing(psycopg.connect(server.address, autocommit=True)) as connection:
        connection.execute("CREATE ROLE app LOGIN")
    assert shared("ledger", "grant", "app").out == "app may read and append.\n"
    address = server.address.replace("postgres:@", "app@")
    assert shared("run", "--until", "train", expect=0, LEDGER_URL=address)


def test_a_file_has_no_roles(small):
    """And nothing is made of it."""
    assert "a file has no roles" in small("ledger", "grant", "app", expect=2).err
    assert not (small.folder / ".interlock" / "ledger.db").exists()
