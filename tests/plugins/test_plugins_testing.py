"""The fixtures that plugins' tests get from the core, used as their authors use them."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.testing import make_rows

GATE = """
from interlock_hookspecs import Verdict, hookimpl

@hookimpl
def review(dossier):
    return [Verdict(decision="approve", subject="all", reason="it is a test.")]
"""


def test_a_project_runs_with_the_plugins_that_a_test_selects(interlock_project):
    """What the test says stands in the stack file; the embedded plugins do the rest."""
    project = interlock_project(
        {
            "monitor": None,
            "train-sklearn": {"estimator": "sklearn.linear_model.LogisticRegression"},
        },
        bounds={"metrics.accuracy": ">= 0.5"},
        module=GATE,
    )
    project("run", "--until", "review")
    assert project.run["status"] == "done"
    (candidate,) = project.events("candidate.made")
    assert "LogisticRegression" in str(candidate["record"])
    (bounds,) = [event["policy"]["bounds"] for event in project.events("run.started")]
    assert len(bounds) == 2
    assert project("stack", "show").code == 0


def test_a_server_that_a_test_starts_ends_with_it(interlock_project):
    """What was deployed answers until the project is ended."""
    project = interlock_project()
    project("run")
    assert project.endpoint["now"] == "answers"
    project.end()
    assert project.endpoint["now"] == "dead"


def test_a_command_says_how_it_ended(interlock_at, tmp_path):
    """Exit code, both streams and the parsed JSON; another exit code than expected fails."""
    here = interlock_at(tmp_path)
    said = here("plugins", "show", "registry-sqk", expect=2)
    assert (said.out, "did you mean 'registry-sql'?" in said.err) == ("", True)
    assert here("plugins", "show", "registry-sql", "--json").json["role"] == "registry"
    with pytest.raises(AssertionError, match=r"ended with 2\n.*there is no role"):
        here("plugins", "list", "--role", "nothing")


def test_the_rows_are_learnt_and_the_same_each_time():
    """Both classes are there, and a second table is equal."""
    rows = make_rows()
    assert rows.equals(make_rows())
    assert set(rows["y"].to_pylist()) == {0, 1}


def test_pytest_starts_without_anything_heavy():
    """Loading the fixtures imports pytest and the standard library only."""
    code = (
        "import pytest, sys; before = set(sys.modules); import interlock.testing;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["interlock"]


def test_a_command_lets_go_of_the_ledger(interlock_project):
    """From Python 3.13 on a connection that nobody closed is a warning, and a failed test."""
    project = interlock_project()
    ledger = project.folder / ".interlock/ledger.db"
    collects = gc.isenabled()
    gc.disable()
    try:
        project("run", "--until", "data")
        project("runs")
        assert ledger not in {file.resolve() for file in Path("/proc/self/fd").iterdir()}
    finally:
        if collects:
            gc.enable()
