"""A connection that is lost, a server that dies: nothing is written twice, nothing is lost."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import event, text

from interlock.errors import LedgerError
from interlock.ledger import Entry, Ledger, verify
from interlock_hookspecs import Actor

pytestmark = pytest.mark.real_backend
ANA = Actor(subject="ana")
COMMIT = b"COMMIT"


class Wire:
    """The way to a server, which can be cut at a commit: before it arrives, or after."""

    def __init__(self, address, folder):
        self._server = Path(parse_qs(urlsplit(address).query)["host"][0], ".s.PGSQL.5432")
        self._folder = folder
        self.address = f"postgresql://postgres@/postgres?host={folder}"
        self.cut = ""
        self.cuts = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                pair = client, server
                for call in (self._there, self._back):
                    threading.Thread(target=call, args=pair, daemon=True).start()

    def _there(self, client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.cut and COMMIT in data:
                    self._cut(client, server, data)
                    return
                server.sendall(data)
        _close(server)

    def _cut(self, client, server, data):
        cut, self.cut = self.cut, ""
        self.cuts += 1
        _close(client)
        if cut == "after":
            server.sendall(data)
            # It is read to its end, so that the server has done it before the connection goes.
            server.settimeout(0.3)
            with contextlib.suppress(OSError):
                server.recv(65536)
        _close(server)

    def _back(self, client, server):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _close(client)

    def close(self):
        _close(self._listener)
        shutil.rmtree(self._folder)


def _close(side):
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()


@pytest.fixture
def wire(url):
    """A way to an empty database; a socket's path is short, so its folder is too."""
    made = Wire(url, Path(tempfile.mkdtemp(prefix="wire")))
    yield made
    made.close()


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("first", [True, False])
def test_an_append_whose_commit_was_cut_is_there_once(wire, cut, first):
    """It did not go through, or it did and the answer was lost: either way it is written once."""
    heard = []
    with Ledger.open(wire.address, actor=ANA, observers=heard.append) as ledger:
        if not first:
            ledger.append("p", "a", "x-0", {})
        wire.cut = cut
        told = ledger.append_all("p", [Entry("b", "x-1"), Entry("c", "x-2")])
        assert wire.cuts == 1
        ledger.append("p", "d", "x-3", {})
        found = ledger.reads.events("p")
        assert [event["kind"] for event in found if event["kind"] != "a"] == ["b", "c", "d"]
        for said, stored in zip(told, found[-3:-1], strict=True):
            assert (said.id, said.sequence, said.digest, said.at.isoformat()) == (
                stored["id"], stored["sequence"], stored["digest"], stored["at"])  # fmt: skip
        assert [event.kind for event in heard if event.kind != "a"] == ["b", "c", "d"]
        assert verify(ledger).ok


def test_a_guard_is_asked_again_when_the_act_is_done_again(wire):
    """What it saw before the connection was lost may hold no longer."""
    with Ledger.open(wire.address, actor=ANA) as ledger:
        ledger.append("p", "run.started", "run-1", {"pid": 1})
        asked = []
        wire.cut = "before"
        ledger.append("p", "a", "x", {}, guard=lambda reads: asked.append(reads.run("run-1")))
        assert [row["pid"] for row in asked] == [1, 1]


def test_a_connection_that_died_while_it_was_idle_is_not_noticed(url):
    """Neither by a question nor by an append: both go on with a new one."""
    with Ledger.open(url, actor=ANA) as ledger, Ledger.open(url, actor=ANA) as other:
        for act in (ledger.reads.projects, lambda: ledger.append("p", "a", "x", {})):
            act()
            with other.engine.begin() as connection:
                ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
                others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
                connection.execute(text(ended + others))
            act()
        assert len(ledger.reads.events("p")) == 2


def test_a_connection_that_is_lost_while_a_question_is_put_is_replaced(url):
    """A question changes nothing, so it is put again; the second answers."""
    ended = []
    with Ledger.open(url, actor=ANA) as ledger, Ledger.open(url, actor=ANA) as other:
        ledger.append("p", "a", "x", {})

        def end(connection, *_):
            pid = connection.connection.dbapi_connection.info.backend_pid
            if not ended:
                ended.append(pid)
                with other.engine.begin() as killer:
                    killer.execute(text(f"SELECT pg_terminate_backend({pid}, 60000)"))
            else:
                assert pid != ended[0]

        event.listen(ledger.engine, "before_cursor_execute", end)
        assert [row["kind"] for row in ledger.reads.events("p")] == ["a"]
        assert len(ended) == 1


@pytest.fixture
def mortal(start_postgresql):
    """A server that a test may kill."""
    return start_postgresql()


def test_a_crash_and_a_restart_are_waited_out(mortal):
    """A backend is killed: the server ends every connection, recovers, and the append is there."""
    with Ledger.open(mortal.address, actor=ANA) as ledger:
        for turn in range(3):
            ledger.append("p", "a", f"x-{turn}", {})
            with ledger.engine.connect() as connection:
                pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            os.kill(pid, signal.SIGKILL)
            ledger.append("p", "b", f"x-{turn}", {})
        assert [event["kind"] for event in ledger.reads.events("p")] == ["a", "b"] * 3
        assert verify(ledger).ok


def test_a_server_that_stays_away_is_said_once_its_time_is_up(mortal):
    """Two lines, and what comes after fails at once; when it is back, all is as it was."""
    with Ledger.open(mortal.address, actor=ANA) as ledger:
        ledger.append("p", "a", "x", {})
        mortal.kill()
        ledger.patience.seconds = 0.3
        with pytest.raises(LedgerError, match="cannot be written") as caught:
            ledger.append("p", "b", "x", {})
        assert "start the server" in caught.value.hint
        with pytest.raises(LedgerError, match="cannot be read"):
            ledger.reads.events("p")
        mortal.start()
        assert verify(ledger).ok
        assert ledger.append("p", "c", "x", {}).sequence == 2
