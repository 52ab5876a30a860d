"""Several who watch one rollout: each says how it ended, whoever ended it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_backend

LIKE = ("--set", "train-sklearn.parameters.min_samples_leaf=2")
WATCH = ("rollout", "watch", "--every", "0.1")
INTERLOCK = Path(sys.executable).with_name("interlock")
BACK, PATIENCE = 5, 120


@pytest.fixture
def rolling(rolled):
    """A canary that waits for an hour, and a controller in a process of its own that watches it."""
    made = rolled("canary", {"rollout.error_rate": '"<= 0.05"'}, steps=[0.5], window=3600)
    made("run", *LIKE)
    command = [INTERLOCK, *WATCH]
    made.watcher = subprocess.Popen(
        command, cwd=made.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "watching, step 1 of 1" in made.watcher.stderr.readline()
    yield made
    made.watcher.kill()
    made.watcher.communicate()


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("rollout", "abort", "--reason", "not tonight"), "aborted (not tonight)", BACK),
        (("rollback",), "aborted (interlock rollback)", BACK),
        (("rollout", "promote", "--reason", "it will do"), "promoted (it will do)", 0),
    ],
    ids=["abort", "rollback", "promote"],
)
def test_who_watches_says_what_another_decided(rolling, words, status, code):
    """Taken out by a person is no success of a pipeline that waits for the release."""
    release = rolling.listed("rollout", "status")[0]["release"]
    rolling(*words)
    out, err = rolling.watcher.communicate(timeout=PATIENCE)
    assert (out, rolling.watcher.returncode) == (f"release-{release[-8:]}: {status}\n", code)
    assert "error" not in err
    assert "!" not in err
    # So it is for who begins to watch a moment too late; who acts by the clock has nothing to do.
    assert rolling(*WATCH, expect=code).out == out
    assert rolling("rollout", "advance").out == "Nothing is being rolled out at small.\n"


def test_what_ended_before_something_else_went_live_is_of_no_concern(rolling):
    """A deployment at once leaves nothing to watch."""
    rolling("rollout", "abort", "--reason", "not tonight")
    file = rolling.folder / "interlock.toml"
    file.write_text(file.read_text().partition("[stack.dev.rollout]")[0])
    rolling("run", "--set", "train-sklearn.parameters.min_samples_leaf=3")
    assert rolling(*WATCH).out == "Nothing is being rolled out at small.\n"
