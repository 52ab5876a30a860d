"""A stack with a plugin that core's environment has not: loaded, listed, explained, asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STACK = """
[project]
name = "small"

[stack.dev]
validate = ["apart", "metrics"]

[stack.dev.validate-apart]
python = "{python}"
{settings}
"""
TOKEN = "hunter2-planted-token"
ASK = """
from pathlib import Path
import pyarrow as pa
from interlock.redact import redact_output
from interlock.session import Session
from interlock.stack import load_stack
from interlock_hookspecs import Task

stack = load_stack(Path.cwd())
redact_output(stack)
funnel = Session(stack).funnel
rows = pa.table({"x": [1.0]})
funnel.every("check_data", rows=rows, task=Task(dataset="d"), reference=None)
"""


@pytest.fixture
def interlock(tmp_path, python):
    """Write the stack file with some settings, and type commands beside it."""

    def write(settings="", *, interpreter=python):
        # The path in the file is relative to the file.
        path = os.path.relpath(interpreter, tmp_path)
        (tmp_path / "interlock.toml").write_text(STACK.format(python=path, settings=settings))

        def typed(*words, expect=0, code="from interlock.cli.main import console; console()"):
            done = subprocess.run(
                [sys.executable, "-c", code, *words],
                cwd=tmp_path,
                env={**os.environ, "TOKEN": TOKEN},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == expect, done.stdout + done.stderr
            return done

        return typed

    return write


def test_a_stack_loads_with_the_version_that_is_there(interlock):
    """`stack check` names the plugin as its environment has it."""
    assert "validate-apart 1.5" in interlock("depth = 4")("stack", "check").stdout


def test_all_mistakes_in_its_settings_are_told_at_once(interlock):
    """Strictly, with line and nearest name: as of a plugin that is installed here."""
    typed = interlock('depth = 3\nword = ["a"]\nkind = "c"\ngrid = { rows = "2" }')
    said = typed("stack", "check", expect=2).stderr
    assert "interlock.toml:10: [stack.dev.validate-apart] depth: depth is 3: expected" in said
    assert "word: unknown setting; did you mean 'words'?" in said
    assert "kind: expected 'a' or 'b', found" in said
    assert "grid.rows: expected a whole number, found" in said


def test_it_is_listed_and_explained_in_its_project(interlock):
    """With settings, hooks, version, and the interpreter that runs it."""
    typed = interlock()
    rows = {row["name"]: row for row in json.loads(typed("plugins", "list", "--json").stdout)}
    row = rows["validate-apart"]
    assert (row["version"], row["loads"]) == ("1.5", True)
    assert row["python"].endswith("/bin/python")
    assert rows["validate-metrics"]["python"] is None
    shown = json.loads(typed("plugins", "show", "validate-apart", "--json").stdout)
    settings = {setting["name"]: setting for setting in shown["settings"]}
    assert settings["depth"]["doc"] == "an even number"
    assert settings["token"]["secret"] is True
    assert shown["kinds"] == ["binary", "regression"]


def test_an_environment_that_is_not_there_is_told_with_what_to_type(interlock, tmp_path):
    """One line, the path, and the command that makes it."""
    typed = interlock(interpreter=tmp_path / "gone/bin/python")
    said = typed("stack", "check", expect=2).stderr
    assert f"plugin validate-apart, python = {tmp_path}/gone/bin/python: there is no such" in said
    assert "next: interlock plugins install validate-apart --isolated" in said
    # A listing shows the rest.
    rows = json.loads(typed("plugins", "list", "--json").stdout)
    assert [row["loads"] for row in rows if row["name"] == "validate-apart"] == [False]


def test_a_plugin_that_is_newer_than_its_environment_is_refused(interlock, tmp_path, environment):
    """The contract that it states is more than its own interlock-hookspecs has."""
    text = (Path(__file__).parent / "apart/interlock_validate_apart.py").read_text()
    newer = environment(tmp_path / "newer", source=text.replace('contract="1.0"', 'contract="1.9"'))
    said = interlock(interpreter=newer)("stack", "check", expect=2).stderr
    assert "validate-apart 1.5 was written for contract 1.9, its environment has 1." in said
    assert "-m pip install --upgrade interlock-hookspecs" in said


def test_a_secret_is_printed_by_nobody(interlock):
    """Not by the plugin's own prints, its logs, its errors, or the listing of the stack."""
    for do in ("prints", "logs", "raises"):
        typed = interlock(f'do = "{do}"\ntoken = "${{TOKEN}}"')
        done = typed(code=ASK, expect=1 if do == "raises" else 0)
        assert TOKEN not in done.stdout + done.stderr
        if do == "prints":
            assert "validate-apart: the token is ***" in done.stderr
        if do == "logs":
            assert "it says ***" in done.stderr
    shown = interlock('token = "${TOKEN}"')("stack", "show").stdout
    assert "stack.dev.validate-apart.token" in shown
    assert TOKEN not in shown
