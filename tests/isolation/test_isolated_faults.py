"""A worker that crashes, hangs, prints or forks: named, ended, started again where it may be."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from interlock.errors import HookFailed
from interlock_hookspecs import Task, specs
from interlock_worker import child
from interlock_worker.errors import WorkerFailed
from interlock_worker.hooks import ASKED_AGAIN, ASKED_ONCE
from interlock_worker.process import Process

WHO = "plugin validate-apart 1.5, hook check_data: "


def gone(pid, patience=60.0):
    """Whether a process ends in time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)
                continue
        return True
    return False


def hanging(folder):
    """The processes of a plugin that was told to hang there, once it does: worker and child."""
    note = folder / "pid"
    end = time.monotonic() + 60
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < end, "it does not begin"
        time.sleep(0.02)
    return note.read_text().split()


def in_the_middle(folder, act):
    """Do something once a plugin hangs in its hook."""

    def wait():
        hanging(folder)
        act()

    threading.Thread(target=wait).start()


def test_a_worker_that_crashes_is_named_with_its_signal(failing):
    """The error has plugin, version, hook and signal, and says what to do."""
    error = failing("crash")
    assert str(error) == WHO + "its worker ended with signal 11 (SIGSEGV)"
    assert "restarts" in error.hint


def test_a_hook_that_is_the_same_twice_is_asked_again_after_a_crash(told):
    """Measuring changes nothing: one crash is not seen."""
    assert len(told("crash_once")) == 3


def test_a_worker_is_started_again_as_often_as_it_may_be(failing, told):
    """With no restart left the crash is told, and then that nobody starts it again."""
    error = failing("crash_once", restarts=0)
    assert str(error) == WHO + "its worker ended with exit code 3"


def test_a_worker_that_crashed_too_often_stays_down(worker, tmp_path, ask):
    """It says so, and how often it was started."""
    found = worker(restarts=1)
    instance = found.plugin_class()(do="crash", folder=tmp_path)
    task = Task(dataset="d")
    for message in ("signal 11", "is not started again"):
        with pytest.raises(HookFailed, match=message) as caught:
            ask(instance, "check_data", rows=None, task=task, reference=None)
    assert "started again 1 times: restarts" in caught.value.hint


def test_every_hook_is_either_asked_again_or_has_a_reason_not_to_be():
    """A new hook of the contract is decided about, one way or the other."""
    assert ASKED_AGAIN.isdisjoint(ASKED_ONCE)
    assert ASKED_AGAIN | ASKED_ONCE.keys() == specs().keys()


def test_what_may_have_been_done_is_not_asked_again(worker, tmp_path):
    """An alias may have moved before the crash: only a person can tell."""
    found = worker(restarts=5)
    instance = found.plugin_class()(folder=tmp_path)
    with pytest.raises(WorkerFailed, match="exit code 3"):
        instance.set_alias("crash", "champion", "1", "2")
    # The next call finds it started again.
    assert len(instance.check_data(None, Task(dataset="d"))) == 3


def test_a_worker_that_is_killed_from_outside_is_named(worker, tmp_path):
    """As a machine out of memory does it, in the middle of a call."""
    found = worker(restarts=0)
    instance = found.plugin_class()(do="hang", folder=tmp_path)
    in_the_middle(tmp_path, lambda: os.kill(found.pid, signal.SIGKILL))
    with pytest.raises(WorkerFailed, match=r"ended with signal 9 \(SIGKILL\)"):
        instance.check_data(None, Task(dataset="d"))


def test_a_worker_that_hangs_is_ended_with_what_it_started(failing, tmp_path):
    """The error has the limit; neither the worker nor its child outlives it."""
    started = time.monotonic()
    error = failing("hang", hook_timeout=6.0)
    assert str(error) == WHO + "gave no answer in 6 s"
    assert "hook_timeout" in error.hint
    assert time.monotonic() - started < 60
    worker_pid, child = (tmp_path / "pid").read_text().split()
    assert gone(worker_pid)
    assert gone(child)


def test_a_fork_that_holds_the_sockets_keeps_nobody_waiting(failing):
    """A worker's end is seen although another process has its descriptors."""
    started = time.monotonic()
    error = failing("fork_and_crash", restarts=0)
    assert "exit code 5" in str(error)
    assert time.monotonic() - started < 60


def test_what_a_plugin_prints_is_output_and_no_message(told, capsys):
    """Standard output is not the channel: the answer comes, the lines go to standard error."""
    assert len(told("prints")) == 3
    end = time.monotonic() + 60
    said = ""
    while "the token" not in said and time.monotonic() < end:
        said += capsys.readouterr().err
        time.sleep(0.02)
    assert 'validate-apart: {"no": "message"}\n' in said
    assert "validate-apart: \x00\ufffd\ufffd garbage\n" in said


def test_a_huge_answer_comes_whole(told):
    """Twenty thousand records and a text of ten megabytes."""
    found = told("huge")
    assert len(found) == 20_001
    assert len(found[-1].reason) == 5_000_000


PARENT = """
import sys
from pathlib import Path
from interlock_hookspecs import Task
from interlock_worker.parent import WorkerPlugin
found = WorkerPlugin("validate-apart", Path(sys.argv[1]))
instance = found.plugin_class()(do="hang", folder=Path(sys.argv[2]))
instance.check_data(None, Task(dataset="d"))
"""


def test_a_worker_ends_with_its_parent(python, tmp_path):
    """A parent that is killed leaves no orphan, not even one deep in a hook."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, python, tmp_path])
    worker_pid, child = hanging(tmp_path)
    parent.kill()
    parent.wait()
    assert gone(worker_pid)
    os.kill(int(child), signal.SIGKILL)


def test_many_threads_are_answered_at_once(worker):
    """Each gets its own answer; the worker is one."""
    found = worker()
    instance = found.plugin_class()(do="say")
    answers = []

    def ask():
        task = Task(dataset="d")
        answers.extend(instance.check_data(None, task)[0].facts["pid"] for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 400
    assert set(answers) == {found.pid}


def test_a_fork_has_a_worker_of_its_own(worker):
    """A process that was forked off does not talk on its parent's sockets, nor end its worker."""
    found = worker()
    instance = found.plugin_class()(do="say")
    task = Task(dataset="d")
    before = instance.check_data(None, task)[0].facts["pid"]
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        pid = instance.check_data(None, task)[0].facts["pid"]
        os.write(writing, str(pid).encode())
        found.close()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        other = int(said.read())
    os.waitpid(child, 0)
    assert other != before
    assert instance.check_data(None, task)[0].facts["pid"] == before


def test_an_interrupted_caller_ends_its_call(worker, tmp_path):
    """Ctrl-C in the middle of a hook: nothing goes on behind the person's back."""
    found = worker(restarts=0)
    instance = found.plugin_class()(do="hang", folder=tmp_path)
    here = threading.main_thread().ident
    in_the_middle(tmp_path, lambda: signal.pthread_kill(here, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        instance.check_data(None, Task(dataset="d"))
    worker_pid, _ = (tmp_path / "pid").read_text().split()
    assert gone(worker_pid)
    # It was no crash: the worker is started again although no restart is left.
    again = found.plugin_class()()
    assert len(again.check_data(None, Task(dataset="d"))) == 3


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (lambda folder, _: folder / "nowhere/bin/python", "there is no such interpreter"),
        (lambda folder, _: folder, "it may not be run"),
        (lambda folder, make: make(folder / "a", entry="Missing"), "cannot be imported"),
        (
            lambda folder, make: make(folder / "a", with_worker=False),
            "that environment has no interlock-worker",
        ),
        (lambda *_: Path("/bin/false"), "ended with exit code 1"),
        (lambda *_: Path(sys.executable), "no plugin validate-apart is installed there"),
    ],
)
def test_an_environment_that_is_not_right_is_said_to_be(worker, tmp_path, environment, of, message):
    """No interpreter, none that runs, no plugin, no worker in it: each in one line."""
    with pytest.raises(WorkerFailed, match=message):
        worker(python=of(tmp_path, environment)).description()


def test_its_last_words_are_waited_for(worker, tmp_path, environment, monkeypatch):
    """Its end may be heard of before what it printed is read."""
    tell = Process._tell

    def tells_late(self, out):
        self._ended.wait(60)
        time.sleep(0.2)
        tell(self, out)

    monkeypatch.setattr(Process, "_tell", tells_late)
    with pytest.raises(WorkerFailed, match="that environment has no interlock-worker"):
        worker(python=environment(tmp_path / "a", with_worker=False)).description()


def test_a_worker_begins_no_thread_on_its_way_out(monkeypatch):
    """From Python 3.12 on an interpreter that ends refuses one, and its traceback was printed."""

    def refused(thread):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    def ended(code):
        raise SystemExit(code)

    ours, parents = socket.socketpair()
    left = child.Worker(ours)
    parents.close()
    monkeypatch.setattr(child, "_GRACE", 0.0)
    monkeypatch.setattr(threading.Thread, "start", refused)
    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit, match="1"):
        left.follow()
    left.peer.close()
