"""`interlock stack lock`: the versions that a stack was made with, and no others."""

import re
from importlib import metadata

import pytest

from interlock.cli.main import main
from interlock.plugins.discover import installed

STACK = """\
[project]
name = "small"

[stack.dev]
train = "sklearn"
registry = "sql"

[stack.other]
extends = "dev"
validate = ["metrics"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The folder of a project, which is the current one."""
    (tmp_path / "interlock.toml").write_text(STACK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def locked(project):
    """A project whose first stack is locked; gives its lock file."""
    assert main(["stack", "lock"]) == 0
    return project / "interlock.lock"


def edit(path, pattern, new):
    """Replace what a pattern finds once in a file."""
    text, count = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def said(capsys, code, *words):
    """What a command that ends with a code says to standard error."""
    capsys.readouterr()
    assert main(list(words)) == code
    return capsys.readouterr().err


def test_a_lock_holds_plugins_openers_and_all_that_they_need(locked):
    """Each with its version: what the stack names, what opens models, what either imports."""
    text = locked.read_text()
    for name in ("train-sklearn", "registry-sql", "model-skops"):
        assert f'{name} = "interlock-{name} {metadata.version(f"interlock-{name}")}"' in text
    for name in ("scikit-learn", "numpy", "skops", "sqlalchemy", "interlock-core", "click"):
        assert f'\n{name} = "{metadata.version(name)}"\n' in text
    assert "validate-metrics" not in text


def test_a_lock_has_the_same_bytes_each_time_and_no_place_of_this_machine(locked, project):
    """Locked again, in whatever order stacks are locked, it is the same file."""
    once = locked.read_bytes()
    assert main(["stack", "lock"]) == 0
    assert locked.read_bytes() == once
    assert b"/" not in once.split(b"\n", 1)[1]
    assert main(["stack", "lock", "--stack", "other"]) == 0
    both = locked.read_bytes()
    locked.unlink()
    assert main(["stack", "lock", "--stack", "other"]) == 0
    assert main(["stack", "lock"]) == 0
    assert locked.read_bytes() == both


def test_a_locked_stack_refuses_another_version_by_name(locked, capsys):
    """A plugin or a library of another version is named with both versions; nothing is loaded."""
    version = metadata.version("interlock-registry-sql")
    edit(locked, r'^registry-sql = ".*"$', 'registry-sql = "interlock-registry-sql 9.9"')
    edit(locked, r'^interlock-registry-sql = ".*"$', 'interlock-registry-sql = "9.9"')
    edit(locked, r'^numpy = ".*"$', 'numpy = "1.0"')
    for words in (["stack", "check"], ["run"], ["plugins", "hooks"]):
        error = said(capsys, 2, *words)
        assert f"registry-sql {version} is installed, interlock.lock says 9.9: install" in error
        assert f"numpy {metadata.version('numpy')} is installed, interlock.lock says 1.0" in error
    assert not (locked.parent / ".interlock/ledger.db").exists()


def test_a_locked_stack_refuses_a_plugin_that_came_since(locked, capsys):
    """Named in the stack file after it was locked, it waits for a new lock."""
    edit(
        locked.parent / "interlock.toml",
        r'^registry = "sql"$',
        'registry = "sql"\ndeploy = "local"',
    )
    error = said(capsys, 2, "stack", "check")
    assert "deploy-local is not in interlock.lock, which locks the stack 'dev'" in error
    assert main(["stack", "lock"]) == 0
    assert main(["stack", "check"]) == 0


def test_an_opener_must_be_locked_and_the_maker_of_old_need_not(locked, monkeypatch):
    """Formats are opened by what the lock has; what a stack has swapped answers for itself."""
    from interlock.errors import StackError
    from interlock.plugins.load import load
    from interlock.stack import load_stack
    from interlock_hookspecs import Maker

    edit(locked, r'^model-skops = ".*"\n', "")
    funnel = load(load_stack(locked.parent))
    with pytest.raises(StackError, match=r"model-skops is not in interlock\.lock"):
        funnel.owner("open_model", "model-skops", model=None, ws=None)
    swapped = Maker(plugin="deploy-local", version="0.0.1")
    assert not funnel.owner("endpoint_status", swapped, deployment=_nowhere()).ready


def _nowhere():
    from interlock_hookspecs import Deployment, Endpoint

    endpoint = Endpoint(name="small", project="small", stack="dev")
    return Deployment(
        id="deployment-1", endpoint=endpoint, targets=(), address="http://127.0.0.1:9"
    )


def test_check_compares_both_ways_and_writes_nothing(locked, capsys):
    """What is missing from the lock, and what nothing needs any more, are differences too."""
    assert main(["stack", "lock", "--check"]) == 0
    edit(locked, r'^numpy = ".*"$', 'gone = "1.0"')
    before = locked.read_bytes()
    error = said(capsys, 2, "stack", "lock", "--check")
    assert "gone: interlock.lock says 1.0, and nothing here needs it" in error
    assert re.search(r"numpy: \S+ is needed here, interlock.lock does not have it", error)
    assert locked.read_bytes() == before
    assert "does not lock the stack 'other'" in said(
        capsys, 2, "stack", "lock", "--check", "--stack", "other"
    )


@pytest.mark.parametrize(
    "text", ["{", "format = 2\n", "format = 1\n[stack.dev]\nplugins = 3\n", "\0"]
)
def test_what_is_no_lock_is_refused_in_a_line(locked, capsys, text):
    """A file that is broken, or of another format, locks nothing and is not passed over."""
    locked.write_text(text)
    error = said(capsys, 2, "stack", "check")
    assert error.startswith("error: interlock.lock: ")
    assert "interlock stack lock" in error


def test_a_plugin_that_is_not_installed_is_not_locked(project, capsys):
    """It is named; no file is written."""
    edit(project / "interlock.toml", r'^registry = "sql"$', 'registry = "gone"')
    assert "registry-gone is not installed" in said(capsys, 2, "stack", "lock")
    assert not (project / "interlock.lock").exists()
    assert "registry-gone" not in installed()
