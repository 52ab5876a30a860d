"""A disk, a ledger, a port, a clock, a server that fails: what is said, what stays, what mends."""

import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ports import free_port

HERE = Path(__file__).parent
FULL_DISK, SHIFTED_CLOCK = HERE / "full_disk.py", HERE / "shifted_clock.py"


def is_clear(said):
    """One or two lines of an error, then what to do; nothing that only we understand."""
    lines = [line for line in said.err.splitlines() if not line.startswith(("✓", "!"))]
    assert 1 < len(lines) <= 4, said.err
    assert lines[0].startswith("error: ")
    assert lines[-1].startswith("next: ")
    assert "Traceback" not in said.err
    assert "Error:" not in said.err
    return True


@contextmanager
def unwritable(path):
    """Nobody may write a file, root included."""
    command = ["chattr", "+i"] if os.geteuid() == 0 else ["chmod", "a-w"]
    undo = ["chattr", "-i"] if os.geteuid() == 0 else ["chmod", "u+w"]
    done = subprocess.run([*command, path], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this file system keeps no file from root: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run([*undo, path], check=True)


@pytest.fixture
def small_disk(make_project, tmp_path):
    """A project on a disk of its own, of 4 MB."""
    home = tmp_path / "disk"
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "interlock", home],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a disk is mounted by root only: {mounted.stderr.strip()}")
    project = make_project(home / "small")
    yield project
    project.close()
    subprocess.run(["umount", "--lazy", home], check=True)


@pytest.mark.real_backend
@pytest.mark.parametrize("free", [0, 60_000, 250_000, 600_000])
def test_a_full_disk(small_disk, free):
    """Whatever did not fit, the error says so; with space again the same run goes on."""
    ballast = small_disk.folder / "ballast"
    small_disk("status")
    room = shutil.disk_usage(small_disk.folder).free
    ballast.write_bytes(bytes(room - free))
    said = small_disk("run", expect=1)
    assert is_clear(said)
    assert "full" in said.err or "No space left" in said.err or "disk I/O" in said.err
    ballast.unlink()
    small_disk("audit", "verify", "--artifacts")
    runs = small_disk.listed("runs")
    small_disk("run", *(["--resume", runs[0]["id"]] if runs else []))
    assert small_disk.run["status"] == "done"
    assert small_disk.endpoint["now"] == "answers"


@pytest.mark.parametrize("limit", [1_000, 20_000])
def test_files_that_may_not_grow(small, limit):
    """A quota (RLIMIT_FSIZE) is told as what it is, and nothing half-written is left."""
    small("status")
    said = small("run", expect=1, first=FULL_DISK, LIMIT=str(limit))
    assert is_clear(said)
    small("audit", "verify", "--artifacts")
    small("run")
    assert small.endpoint["now"] == "answers"


def test_a_ledger_that_may_not_be_written(small):
    """It is read on; what would write says what is missing and changes nothing."""
    small("run", "--until", "train")
    ledger = small.folder / ".interlock/ledger.db"
    before = small("audit", "head").out
    with unwritable(ledger):
        said = small("run", expect=1)
        assert is_clear(said)
        assert str(ledger) in said.err
        assert small.run["status"] == "done"
    assert small("audit", "head").out == before
    small("run")


def test_a_ledger_whose_place_is_a_folder(small):
    """The error names the place."""
    (small.folder / ".interlock/ledger.db").mkdir(parents=True)
    said = small("run", expect=1)
    assert is_clear(said)
    assert ".interlock/ledger.db" in said.err


def test_a_ledger_that_another_process_holds_for_a_while(small):
    """A command waits for its turn, and then does all of it."""
    small("run", "--until", "data")
    path = small.folder / ".interlock/ledger.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        command = small.start("run", "--until", "train")
        time.sleep(1.0)
        other.execute("COMMIT")
        said = command.end()
    assert said.code == 0, said.err
    assert len(small.listed("runs")) == 2


def test_a_vanished_artifact_folder(small):
    """What is gone is named, nothing is served from it, and one command makes it again."""
    small("run")
    (server,) = small.servers()
    model = small.run["model"]
    shutil.rmtree(small.folder / ".interlock/artifacts")
    said = small("audit", "verify", "--artifacts", expect=1)
    assert "the artifact store has nothing under sha256:" in said.out
    small("audit", "verify")
    os.kill(server, signal.SIGKILL)
    said = small("deployments", "--start", expect=1)
    assert is_clear(said)
    assert "next: bring the artifacts back, or interlock run" in said.err
    small("run")
    assert small.endpoint["now"] == "answers"
    assert small.listed("show", small.endpoint["release"])["model"] == model


def test_a_clock_that_jumps_back_a_week(small):
    """The latest run is the last one begun, whatever its clock said; order and release hold."""
    small("run")
    before = small.run["id"]
    small("run", "--set", "train-sklearn.parameters.max_depth=2", first=SHIFTED_CLOCK, SHIFT="-7")
    small("audit", "verify")
    latest = small.run
    assert latest["id"] != before
    assert latest["status"] == "done"
    release = small.listed("show", small.endpoint["release"])
    assert release["run"] == latest["id"]
    small("rollback", first=SHIFTED_CLOCK, SHIFT="-14")
    assert small.listed("show", small.endpoint["release"])["run"] == before
    small("run")
    small("audit", "verify")


def test_a_port_that_is_taken(small):
    """The error names the address; the run is registered and released, and goes on later."""
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with (small.folder / "interlock.toml").open("a") as file:
            file.write(f"[stack.dev.deploy-local]\nport = {port}\n")
        said = small("run", expect=1)
        assert is_clear(said)
        assert f"127.0.0.1:{port}" in said.err
        assert not list(small.servers())
    small("run", "--resume", small.run["id"])
    assert small.endpoint["address"].endswith(f":{port}")
    assert small.endpoint["now"] == "answers"


def asked(address, names, answered=None):
    """Ask for one row over one connection, again and again; each request has a name."""
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)) as connection:
        for name in names:
            inputs = [
                {"name": column, "shape": [1], "datatype": "FP64", "data": [0.5]} for column in "xz"
            ]
            body = json.dumps({"id": name, "inputs": inputs})
            connection.request("POST", "/v2/models/small/infer", body)
            answer = json.loads(connection.getresponse().read())
            assert answer["id"] == name
            if answered is not None:
                answered.append(name)


@pytest.mark.real_backend
def test_a_server_killed_under_load(small):
    """It is told as dead, started again with the same release; what was captured stays."""
    from interlock.serving.capture import read_captures

    small("run")
    (server,) = small.servers()
    endpoint = small.endpoint
    asked(endpoint["address"], [f"first-{number}" for number in range(20)])
    folder = small.folder / ".interlock/captures/dev/small"
    deadline = time.monotonic() + 60
    while read_captures(folder, None, None).num_rows < 20:
        assert time.monotonic() < deadline, "answers are not written"
        time.sleep(0.05)
    answered = []

    def load():
        names = (f"load-{threading.get_ident()}-{number}" for number in itertools.count())
        with suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
            asked(endpoint["address"], names, answered)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 60
    while len(answered) < 20:
        assert time.monotonic() < deadline, "nobody is answered"
        time.sleep(0.05)
    os.kill(server, signal.SIGKILL)
    for client in clients:
        client.join()
    assert small.endpoint["now"] == "dead"
    assert "interlock deployments --start" in small.endpoint["detail"]
    small("deployments", "--start")
    again = small.endpoint
    assert (again["now"], again["release"]) == ("answers", endpoint["release"])
    assert again["id"] == endpoint["id"]
    asked(again["address"], ["after"])
    small("undeploy")
    kept = read_captures(folder, None, None)
    ids = set(kept["request_id"].to_pylist())
    assert {f"first-{number}" for number in range(20)} | {"after"} <= ids
    small("audit", "verify")
