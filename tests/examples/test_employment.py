"""The example of the README: copied alone elsewhere, its story runs, whatever is left of one."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "contrib/examples/employment"
TELL = [sys.executable, "demo.py"]
UNDEPLOY = [Path(sys.executable).with_name("interlock"), "undeploy"]


@pytest.fixture
def folder(tmp_path):
    """A copy of the example; no server outlives the test."""
    copy = tmp_path / "employment"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".demo", "__pycache__"))
    yield copy
    subprocess.run(UNDEPLOY, cwd=copy / ".demo", check=False)


def break_off(folder, step):
    """Tell it, and be killed where a step begins."""
    with subprocess.Popen(
        TELL, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as telling:
        told = ""
        while f"\n== {step}." not in told and (line := telling.stdout.readline()):
            told += line
        os.killpg(telling.pid, signal.SIGKILL)
    assert f"\n== {step}." in told, told[-4000:]


@pytest.mark.real_backend
def test_the_story_is_told_over_what_is_left_of_one(folder):
    """One that was killed left a server that answers; of one that ended, nothing is in the way."""
    break_off(folder, 4)
    left = subprocess.run(
        [*UNDEPLOY[:1], "deployments"], cwd=folder / ".demo", capture_output=True, check=True
    )
    assert b"answers" in left.stdout
    told = subprocess.run(
        TELL, cwd=folder, capture_output=True, text=True, timeout=1500, check=False
    )
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    summary = told.stdout.partition("The life of a model, in")[2]
    words = ["refused", "released", "2016-2018", "under 30", "hot swap", "rollback", "tampering"]
    assert all(f"\n  {word}" in summary for word in words)
    assert " 0 failed" in summary
    # What the next one does first, before it makes the folder anew.
    subprocess.run(UNDEPLOY, cwd=folder / ".demo", check=True)
