"""`plugins check` of a plugin that the stack runs in an environment of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STACKS = """
[project]
name = "small"

[stack.dev]
validate = ["apart", "metrics"]

[stack.dev.validate-apart]
python = "{python}"

[stack.here]
validate = "metrics"
"""


@pytest.fixture
def check(tmp_path):
    """Type `plugins check` beside a stack file that names an interpreter."""

    def typed(python, *words):
        text = STACKS.format(python=os.path.relpath(python, tmp_path))
        (tmp_path / "interlock.toml").write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "interlock", "plugins", "check", *words],
            cwd=tmp_path,
            # What leads this interpreter to packages leads the other one nowhere.
            env={**os.environ, "PYTHONPATH": str(tmp_path / "mine")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return typed


def test_the_promises_are_tried_where_the_plugin_is(check, python):
    """The suites run in its environment, with its version there; the table says the same."""
    said = check(python, "validate-apart", "--only", "a_secret_setting_is_not_printed", "--json")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert (found["version"], found["distribution"]) == ("1.5", "interlock-validate-apart")
    assert Path(found["python"]).parent.samefile(python.parent)
    assert {row["status"] for row in found["promises"]} == {"held"}
    assert f"validate-apart runs in an environment of its own: {python}" in said.stderr
    said = check(python, "validate-apart", "--only", "a_secret_setting_is_not_printed")
    assert "validate-apart 1.5, installed by interlock-validate-apart" in said.stdout


def test_a_promise_that_is_broken_there_ends_with_1(check, python):
    """What the plugin breaks is told as of one that is installed here."""
    said = check(python, "validate-apart", "--only", "it_measures")
    assert said.returncode == 1, said.stdout + said.stderr
    assert "broken     " in said.stdout


def test_another_stack_has_no_such_plugin(check, python):
    """Which environment counts is the stack's to say, and --stack says which stack."""
    said = check(python, "validate-apart", "--stack", "here")
    assert (said.returncode, said.stdout) == (2, "")
    assert "no plugin 'validate-apart' is installed" in said.stderr


def test_an_environment_without_the_suites_is_told_what_to_install(check, environment, tmp_path):
    """One line says what is missing there, the next how that environment gets it."""
    bare = environment(tmp_path / "bare", with_worker=False)
    said = check(bare, "validate-apart")
    assert (said.returncode, said.stdout) == (2, "")
    told, typed = said.stderr.splitlines()[-2:]
    assert "need interlock_hookspecs, numpy, pyarrow, pytest in its environment" in told
    assert str(bare) in typed
    assert typed.endswith('"interlock-hookspecs[conformance]"')


def test_an_interpreter_that_is_not_there_is_told_with_what_to_type(check, tmp_path):
    """The path, and the command that makes the environment."""
    said = check(tmp_path / "gone/bin/python", "validate-apart")
    assert (said.returncode, said.stdout) == (2, "")
    assert f"{tmp_path}/gone/bin/python: there is no such interpreter" in said.stderr
    assert "next: interlock plugins install validate-apart --isolated" in said.stderr


def test_a_file_that_is_no_interpreter_is_told(check, tmp_path):
    """What cannot be run, or is not Python, is an error of one line."""
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\nexit 3\n")
    said = check(fake, "validate-apart")
    assert said.returncode == 2
    assert "it does not start" in said.stderr
    fake.chmod(0o755)
    said = check(fake, "validate-apart")
    assert said.returncode == 2
    assert "it ended with exit code 3" in said.stderr
    assert "Traceback" not in said.stderr
