"""A server that lives and answers nobody: it is shown, and the next command replaces it."""

import os
import signal

import psutil
import pytest

from interlock.lifecycle import hanging
from interlock_serving import status

pytestmark = pytest.mark.real_backend


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Be less patient than with a busy machine: what is stopped never answers."""
    monkeypatch.setattr(hanging, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(status, "_SECONDS", 2.0)


def stop(made, until):
    """Stop the server as it is; its process."""
    pid = made.endpoint["body"]["facts"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: made.endpoint["now"] == "silent")
    return pid


def alive(pid):
    """Whether a process runs; one that nobody has collected yet does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def killed(made, kind):
    return [event["killed"] for event in made.events(kind) if "killed" in event]


def test_a_server_that_hangs_is_replaced(project, ask, rows, until):
    """By --start, by a deployment and by a rollback; undeploy ends it. Each says what it killed."""
    made, row = project(), rows.drop_columns(["y"]).slice(0, 1)
    made("run")
    first = made.run["id"]
    made("run", "--set", "train-sklearn.parameters.max_depth=2", "--again")
    second = made.endpoint["release"]
    words = [["deployments", "--start"], ["deploy", first], ["rollback"]]
    stopped = []
    for word in words:
        stopped.append(stop(made, until))
        assert "interlock deployments --start replaces it" in made.endpoint["detail"]
        said = made(*word)
        assert f"process {stopped[-1]} did not answer for 3 s and was killed" in said.err
        assert not alive(stopped[-1])
        assert made.endpoint["now"] == "answers"
        assert ask(made.endpoint, row)[0] == 200
    assert made.endpoint["release"] == second
    assert len(killed(made, "deployment.intended")) == len(words)
    last = stop(made, until)
    made("undeploy")
    assert not alive(last)
    assert killed(made, "deployment.removed") == [
        f"process {last} did not answer for 3 s and was killed"
    ]
    made("audit", "verify")


def test_a_server_that_answers_is_left_alone(project, until, monkeypatch):
    """One that was stopped for a moment goes on, and is the same process afterwards."""
    monkeypatch.setattr(hanging, "SILENT_SECONDS", 60.0)
    made = project()
    made("run")
    pid = stop(made, until)
    os.kill(pid, signal.SIGCONT)
    made("deployments", "--start")
    assert made.endpoint["body"]["facts"]["pid"] == pid
    assert killed(made, "deployment.intended") == []
