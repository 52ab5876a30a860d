"""`stack lock` of a stack with a plugin in an environment of its own."""

import re
from importlib import metadata

import pytest
from installed import distribution

from interlock.cli.main import main

STACK = """
[project]
name = "small"

[stack.dev]
validate = ["metrics", "apart"]

[stack.dev.validate-apart]
python = "{python}"
"""


@pytest.fixture
def site(environment, tmp_path):
    """The packages of an environment where the plugin needs a distribution that is only there."""
    python = environment(tmp_path / "venv")
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (about,) = packages.glob("interlock_validate_apart-*/METADATA")
    lines = [
        'Requires-Dist: interlock-beside; sys_platform != "atari"',
        'Requires-Dist: interlock-nowhere; sys_platform == "atari"',
        'Requires-Dist: interlock-nowhere; extra == "never"',
    ]
    about.write_text(about.read_text() + "\n".join(lines) + "\n")
    install(packages, "1.0")
    (tmp_path / "interlock.toml").write_text(STACK.format(python=python))
    return packages


def install(packages, version):
    """What the plugin needs, in a version; others go."""
    for old in packages.glob("interlock_beside-*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    if version:
        distribution(packages, "interlock-beside", version)


@pytest.fixture
def locked(site, tmp_path, monkeypatch):
    """The project's lock file."""
    monkeypatch.chdir(tmp_path)
    assert main(["stack", "lock"]) == 0
    return tmp_path / "interlock.lock"


def said(capsys, code, *words):
    """What a command that ends with a code says to standard error."""
    capsys.readouterr()
    assert main(list(words)) == code
    return capsys.readouterr().err


def test_a_lock_holds_what_is_in_the_environment(locked):
    """The plugin's version, and in a table of its own what it and its worker need there."""
    text = locked.read_text()
    assert 'validate-apart = "interlock-validate-apart 1.5"' in text
    _, here, there = re.split(r"\[stack\.dev\.(?:dist|env)\S*\]\n", text)
    assert "interlock-beside" not in here
    lines = there.splitlines()
    assert 'interlock-beside = "1.0"' in lines
    assert 'interlock-validate-apart = "1.5"' in lines
    for name in ("interlock-worker", "interlock-hookspecs", "attrs", "pyarrow"):
        assert f'{name} = "{metadata.version(name)}"' in lines
    assert "interlock-nowhere" not in text
    assert "click" not in there
    assert main(["stack", "lock", "--check"]) == 0
    assert main(["stack", "check"]) == 0


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("1.1", "interlock-beside 1.1 is installed, interlock.lock says 1.0"),
        ("", "interlock-beside is not installed, interlock.lock says 1.0"),
    ],
)
def test_another_version_there_is_refused_by_name(locked, site, capsys, version, told):
    """It names the plugin whose environment it is, and both versions; locked anew, it loads."""
    install(site, version)
    error = said(capsys, 2, "stack", "check")
    assert f"in the environment of validate-apart: {told}" in error
    if not version:
        error = said(capsys, 2, "stack", "lock")
        assert "interlock-beside in the environment of validate-apart is not installed" in error
        return
    assert "in the environment of validate-apart: interlock-beside: 1.1 is installed" in said(
        capsys, 2, "stack", "lock", "--check"
    )
    assert main(["stack", "lock"]) == 0
    assert main(["stack", "check"]) == 0
    assert 'interlock-beside = "1.1"' in locked.read_text()


def test_another_plugin_there_is_refused_by_name(locked, site, capsys):
    """The version of the plugin itself is told once, as of any other."""
    (about,) = site.glob("interlock_validate_apart-*/METADATA")
    about.write_text(about.read_text().replace("Version: 1.5", "Version: 1.6"))
    error = said(capsys, 2, "stack", "check")
    assert "validate-apart 1.6 is installed, interlock.lock says 1.5" in error
    assert error.count("1.6") == 1


def test_a_plugin_that_was_locked_here_does_not_run_elsewhere(locked, capsys):
    """Moved into an environment, it waits for a new lock; moved out of it, likewise."""
    text = locked.read_text()
    locked.write_text(re.sub(r"(?s)\[stack\.dev\.environments\S*\]\n.*", "", text))
    error = said(capsys, 2, "stack", "check")
    assert "validate-apart runs in an environment of its own, interlock.lock has it here" in error
    moved = text.replace("environments.validate-apart", "environments.validate-metrics")
    locked.write_text(moved)
    error = said(capsys, 2, "stack", "check")
    assert "validate-metrics runs here, interlock.lock has it in an environment of its own" in error
