"""What a shell completes: the names of a project, quickly, and never a word of complaint."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from interlock.ids import short
from interlock.ledger.values import SCHEMA

HEAVY = {"sqlalchemy", "numpy", "pyarrow", "sklearn", "alembic", "importlib.metadata"}
TRACED = """
import sys
from interlock.cli.main import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sys.modules))
"""


@pytest.fixture
def completed(tmp_path, monkeypatch):
    """Press the tabulator behind some words, as bash does: what is offered, by name and type."""

    def press(*words, folder=tmp_path, expect=""):
        typed = ["interlock", *words]
        environ = {
            **os.environ,
            "_INTERLOCK_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(typed),
            "COMP_CWORD": str(len(typed) - 1),
        }
        done = subprocess.run(
            [Path(sys.executable).with_name("interlock")],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == expect
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    return press


def test_a_project_completes(lived, completed):
    """Stacks, and the short ids of what takes them: runs, versions, releases, models."""

    def press(*words):
        return completed(*words, folder=lived.folder)

    first, refused = (short(run["id"]) for run in reversed(lived.listed("runs")))
    versions = [short(version["id"]) for version in lived.listed("models")]
    models = [version["model"].removeprefix("sha256:")[:12] for version in lived.listed("models")]
    release = short(lived.listed("runs")[1]["release"])
    assert press("run", "--stack", "") == ["dev", "prod"]
    assert press("stack", "diff", "dev", "p") == ["prod"]
    assert press("promote", "version", "--to", "") == ["dev", "prod"]
    assert press("run", "--resume", "") == [refused, first]
    assert press("review", first[:6]) == [first]
    assert press("audit", "log", "--stack", "prod", "--run", "run-") == [refused, first]
    assert press("promote", "") == versions
    assert press("approve", "") == [refused, first, *versions]
    assert press("revoke", "") == [release]
    assert press("runs", "--model", "") == models
    assert press("show", "") == [refused, first, *versions, release]
    assert "registry-sql" in press("plugins", "show", "registry")
    assert press("mon") == ["monitor"]
    assert "--json" in press("runs", "--j")


def test_nothing_is_said_where_there_is_nothing(completed, tmp_path):
    """Outside a project, without a ledger, with mistakes or an unset variable in the file."""
    assert completed("run", "--stack", "") == []
    assert completed("show", "") == []
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\nledger = "${NO_SUCH_LEDGER}"\n[stack.a]\ntrian = 1\n'
        '[stack.new]\n[stack.far]\nledger = "postgresql://u@127.0.0.1:1/base"\n'
    )
    assert completed("run", "--stack", "") == ["dev", "a", "new", "far"]
    for stack in ("dev", "a", "new", "far"):
        assert completed("show", "--stack", stack, "") == []
    assert "monitor" in completed("nothing", "mon")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["interlock.toml"]
    (tmp_path / "interlock.toml").write_text("[")
    assert completed("run", "--stack", "") == []


@pytest.mark.real_backend
def test_a_ledger_on_a_server_completes(project, completed, postgresql, until):
    """Where it answers within a moment: a machine that is busy may need more than one."""
    made = project()
    with closing(psycopg.connect(postgresql.address, autocommit=True)) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    made.edit("sqlite:///.interlock/ledger.db", postgresql.address)
    made("run", "--until", "review")
    (run,) = made.listed("runs")
    (version,) = made.listed("models")
    ids = [run["short"], short(version["id"]), short(run["release"])]
    until(lambda: completed("show", "", folder=made.folder) == ids)
    until(lambda: completed("revoke", "", folder=made.folder) == ids[2:])


def test_a_server_that_says_nothing_is_left(tmp_path, completed):
    """It takes the connection and answers none: nothing is offered, and nobody waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        (tmp_path / "interlock.toml").write_text(
            f'[project]\nname = "p"\n[stack.dev]\nledger = "postgresql://u@{host}:{port}/base"\n'
        )
        assert completed("show", "") == []


def test_what_is_completed_imports_nothing_heavy(lived):
    """A ledger in a file is read without SQLAlchemy, and no plugin is looked for."""
    environ = {
        **os.environ,
        "_INTERLOCK_COMPLETE": "bash_complete",
        "COMP_WORDS": "interlock show ",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", TRACED],
        cwd=lived.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "run-" in done.stdout
    assert not HEAVY & set(done.stderr.split())
