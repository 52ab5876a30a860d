"""What only shows in a process of its own: imports, plugins' commands, pipes, signals."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from installed import distribution

SCRIPT = Path(sys.executable).with_name("interlock")
IMPORTS = """
import sys
before = set(sys.modules)
from interlock.cli.main import main
code = main({words})
ours = {{name for name in set(sys.modules) - before if name.partition(".")[0] == "interlock"}}
tops = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(code, sorted(ours), sorted(tops - sys.stdlib_module_names - {{"interlock"}}), file=sys.stderr)
"""
THRESHOLDS = """
import gc
import sys
from interlock.cli.main import console
from interlock.serving import host

host.serve = lambda *_, **__: print(gc.get_threshold())
sys.argv = ["interlock", "serve"]
console()
"""
WAITING = """
from pathlib import Path
import time
from interlock_hookspecs import hookimpl

@hookimpl
def check_model(predictor):
    waiting = Path(__file__).with_name("waiting")
    if not waiting.exists():
        waiting.touch()
        time.sleep(60)
    return []
"""
COMMAND = """
import click


@click.command()
@click.option("--name", default="you")
def hello(name):
    click.echo(f"hello {name}")
    return 5
"""
LISTINGS = [["runs"], ["models"], ["audit", "log"], ["labels", "list"]]


@pytest.fixture
def extended(tmp_path):
    """A folder in which a distribution is installed that adds the command hello."""
    (tmp_path / "greeting.py").write_text(COMMAND, encoding="utf-8")
    points = "[interlock.cli]\nhello = greeting:hello\nruns = greeting:hello\n"
    distribution(tmp_path, "greeting", "1.0", points)
    return tmp_path


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["runz"]])
def test_help_imports_click_and_nothing_else(words):
    """Neither the contract nor a plugin nor a command: start-up time is a promise."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(words=words)],
        capture_output=True,
        text=True,
        check=True,
    )
    code = 2 if words == ["runz"] else 0
    ours = ["interlock", "interlock.cli", "interlock.cli.main"]
    assert done.stderr.splitlines()[-1] == f"{code} {ours} ['click']"


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_a_listing_imports_no_plugin_and_no_library_of_one(project, words):
    """What the ledger knows is told without loading a stack's plugins."""
    made = project()
    made("run", "--until", "data")
    code = "import sys; from interlock.cli.main import main; main(sys.argv[1:]); "
    code += "print(sorted({'numpy', 'sklearn', 'pyarrow', 'skops'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_run_that_ends_before_deploy_imports_nothing_that_serves_or_watches(project):
    """It would wait for modules that it does not use."""
    code = (
        "import sys; from interlock.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "--until", "validate"],
        cwd=project().folder,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "interlock.lifecycle.stages.validate" in loaded
    later = ("lifecycle.rollouts", "lifecycle.monitoring", "lifecycle.windows", "serving.host")
    assert not loaded & {f"interlock.{name}" for name in later}


def test_a_plugin_adds_a_command(extended, interlock):
    """Through the entry-point group interlock.cli; its exit code is the process's."""
    done = interlock("hello", "--name", "ana", PYTHONPATH=str(extended))
    assert (done.returncode, done.stdout) == (5, "hello ana\n")
    assert interlock("hello").returncode == 2


def test_a_plugin_does_not_replace_a_command(extended, interlock):
    """A built-in's name is the built-in's."""
    done = interlock("runs", PYTHONPATH=str(extended))
    assert done.returncode == 2
    assert "interlock.toml: not found" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["stack", "schema"], ["plugins", "list", "--json"]])
def test_a_reader_that_went_away_is_no_failure(words, tmp_path):
    """As `| head` does: no traceback, no complaint, no exit code."""
    process = subprocess.Popen(
        [SCRIPT, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == 0


@pytest.mark.parametrize("words", [["show"], ["runs"], ["audit", "log"]])
def test_a_reader_of_a_project_may_go_away(lived, words):
    """From tables, too."""
    words = [*words, lived.run["id"]] if words == ["show"] else words
    test_a_reader_that_went_away_is_no_failure(words, lived.folder)


def test_a_run_that_loses_its_terminal_is_no_success(project):
    """Where nobody hears how work goes on, the run stops, is on record as failed, and resumes."""
    made = project()
    process = subprocess.Popen(
        [SCRIPT, "run", "--until", "review"], cwd=made.folder, stderr=subprocess.PIPE
    )
    process.stderr.close()
    assert process.wait() == 1
    assert made.run["status"] == "failed"
    made("run", "--resume", made.run["id"], "--until", "review")


def test_a_run_whose_whole_output_is_lost_is_no_success(project):
    """As in `2>&1 | head`, where one pipe takes both: it stops and resumes like the other."""
    made = project()
    reader, writer = os.pipe()
    os.close(reader)
    words = [SCRIPT, "run", "--until", "review"]
    done = subprocess.run(
        words, cwd=made.folder, stdout=writer, stderr=writer, timeout=300, check=False
    )
    os.close(writer)
    assert done.returncode == 1
    assert made.run["status"] == "failed"
    made("run", "--resume", made.run["id"], "--until", "review")


def test_standard_output_is_for_results(project, interlock):
    """How work goes on is told on standard error: a program reads the rest."""
    made = project()
    done = interlock("run", "--until", "review", "--json", folder=made.folder)
    assert done.returncode == 0
    assert json.loads(done.stdout)["last"] == "review"
    assert "✓ train" in done.stderr


@pytest.mark.real_backend
def test_a_dead_endpoint_is_served_from_a_terminal_or_started_again(project, ask, rows, until):
    """serve takes over what was deployed, Ctrl-C ends it, --start revives it; a revoked one: no."""
    made = project()
    made("run")
    assert "is served already" in made("serve", expect=2).err
    made.end()
    tidy = subprocess.run(
        [sys.executable, "-c", THRESHOLDS], cwd=made.folder, capture_output=True, check=True
    )
    assert tidy.stdout == b"(700, 10, 10)\n"  # Python's own: no request waits for half a million
    # A service that is started again has the settings of now.
    with (made.folder / "interlock.toml").open("a") as file:
        file.write("\n[stack.dev.deploy-local]\nmax_rows = 3\n")
    terminal = subprocess.Popen(
        [SCRIPT, "serve"], cwd=made.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        until(lambda: made.endpoint["now"] == "answers")
        assert made.endpoint["body"]["facts"]["pid"] == terminal.pid
        assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, 3))[0] == 200
        assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, 4))[0] == 413
        os.kill(terminal.pid, signal.SIGINT)
        printed, _ = terminal.communicate(timeout=120)
    finally:
        terminal.kill()
        terminal.wait()
    assert terminal.returncode == 0, printed
    assert b"Traceback" not in printed
    assert made.endpoint["now"] == "dead"
    told = made("status").out
    assert "interlock deployments --start brings it back" in told
    assert "\nserves " not in told

    made("deployments", "--start")
    assert made.endpoint["now"] == "answers"
    made.end()
    made("revoke", made.endpoint["release"], "--reason", "leak", actor="ben")
    for words in (["deployments", "--start"], ["serve"]):
        assert "was revoked by ben: leak" in made(*words, expect=3).err
    assert [event["what"] for event in made.events("gate.refused")] == ["start", "serve"]
    assert made.endpoint["now"] == "dead"
    made("audit", "verify")


def test_ctrl_c_during_a_run_leaves_it_resumable(project, until):
    """The run is recorded as failed where it was, and goes on from there."""
    made = project(module=WAITING)
    process = subprocess.Popen([SCRIPT, "run"], cwd=made.folder, stderr=subprocess.PIPE)
    waiting = made.folder / "waiting"
    until(lambda: waiting.exists() or process.poll() is not None)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert f"next: interlock run --resume run-{made.run['id'][-8:]}" in said.decode()
    assert (made.run["status"], made.run["message"]) == ("failed", "interrupted")
    made("run", "--resume", made.run["id"], "--until", "review")
    assert len(made.events("candidate.made")) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_that_lacks_a_sign_gets_its_escape(project, encoding):
    """What a command came to is not told by whether a tick can be printed."""
    made = project()

    def typed(*words):
        return subprocess.run(
            [SCRIPT, *words],
            cwd=made.folder,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            check=False,
        )

    for words in (("run", "--until", "data"), ("runs",), ("audit", "verify")):
        done = typed(*words)
        assert done.returncode == 0, done.stderr
    assert b" events verify: consistent" in done.stdout


def test_a_run_that_was_killed_is_told_from_one_at_work(project, until):
    """Nobody was left to write down how it ended: listings say so, and how it goes on."""
    made = project(module=WAITING)
    process = subprocess.Popen([SCRIPT, "run"], cwd=made.folder, stderr=subprocess.DEVNULL)
    until(lambda: (made.folder / "waiting").exists() or process.poll() is not None)
    assert process.poll() is None
    short = f"run-{made.run['id'][-8:]}"
    assert f"{short} running by" in made("status").out
    assert (made.run["status"], made.run["killed"]) == ("running", False)
    process.kill()
    process.wait()
    again = f"interlock run --resume {short}"
    for words in (["status"], ["runs"]):
        told = made(*words).out
        assert "killed" in told
        assert again in told
    assert made.run["killed"] is True
    made(*again.split()[1:], "--until", "review")
    assert made.run["killed"] is False


@pytest.mark.parametrize(
    ("words", "code"),
    [(("show", "nothing"), 1), (("status",), 0), (("run", "--until", "data"), 0)],
    ids=lambda given: given if isinstance(given, int) else " ".join(given),
)
def test_no_color_is_kept_on_a_terminal(project, words, code):
    """https://no-color.org: results, progress and errors are told without colours."""
    made = project()

    def typed(**environment):
        ours, terminal = pty.openpty()
        process = subprocess.run(
            [SCRIPT, *words],
            cwd=made.folder,
            stdout=terminal,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            check=False,
        )
        os.close(terminal)
        said = b""
        # A terminal whose other end is closed ends with an error.
        with contextlib.suppress(OSError):
            while more := os.read(ours, 65536):
                said += more
        os.close(ours)
        assert process.returncode == code, said
        return re.findall(rb"\x1b\[3\d", said)

    assert typed(NO_COLOR="")
    assert not typed(NO_COLOR="1")
