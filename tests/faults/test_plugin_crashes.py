"""A hook that ends the process in the middle of a run: the run is found, and goes on."""

import os
import signal
import subprocess
import sys

import pytest

CRASHES = """
import ctypes
import os

from interlock_hookspecs import Check, hookimpl


@hookimpl
def check_model(predictor):
    match os.environ.get("ENDS"):
        case "exit":
            os._exit(7)
        case "segfault":
            ctypes.string_at(0)
    return [Check(name="size", value=1.0)]
"""


@pytest.mark.parametrize(("ends", "code"), [("exit", 7), ("segfault", -signal.SIGSEGV)])
def test_a_hook_that_ends_the_process(small, ends, code):
    """The next command says that the run was killed, and in which stage; resumed, it is one run."""
    (small.folder / "project.py").write_text(CRASHES, encoding="utf-8")
    # A process of its own, as the console script is: what a fault writes is the interpreter's.
    said = subprocess.run(
        [sys.executable, "-m", "interlock", "run", "--until", "review"],
        cwd=small.folder,
        env={**os.environ, "ENDS": ends},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == code, said.stderr
    # Of an exit nobody hears in the process; of a fault, whose code it was is told.
    assert ("in check_model" in said.stderr) == (ends == "segfault")
    (run,) = small.listed("runs")
    assert (run["killed"], run["stage"]) == (True, "validate")
    again = f"interlock run --resume {run['short']}"
    assert f"{again} goes on" in small("runs").out
    assert again in small("status").out
    small("audit", "verify")
    small("run", "--resume", run["id"], "--until", "review")
    (run,) = small.listed("runs")
    assert (run["status"], run["id"][-8:]) == ("done", run["short"][-8:])
    assert run["release"] is not None
    small("audit", "verify", "--artifacts")
