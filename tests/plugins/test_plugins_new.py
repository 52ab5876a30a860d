"""`interlock plugins new`: what it writes installs, keeps its promises, and is listed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from interlock.cli.main import main
from interlock.plugins.scaffold import TEMPLATES, new_plugin, template_roles

ROOT = Path(__file__).parents[2]
STACK = """
[project]
name = "made"
[model]
purpose = "to see that it works"
[task]
dataset = "rows.jsonl"
id = "id"
target = "y"
[policy.bounds]
"my-acme.accuracy" = ">= 0.5"
[stack.dev]
data = "my-acme"
train = "my-acme"
validate = "my-acme"
registry = "my-acme"
govern = "my-acme"
deploy = "my-acme"
monitor = "my-acme"
track = "my-acme"
events = "my-acme"
"""


CHECK = """
import sys
from interlock_hookspecs.conformance.__main__ import main

only = ["--only", "it_keeps_to_the_form", "--json"]
observed = ["--only", "processes_lose_nothing", "--only", "a_backend_that_is_away_is_said"]
also = {
    "model-my-acme": ["--only", "equal_states_are_equal_bytes_in_every_process"],
    "events-my-acme": observed,
    "track-my-acme": observed,
}
sys.exit(max(main([name, *only, *also.get(name, [])]) for name in sys.argv[1:]))
"""


def run(*command, cwd, path):
    """The output of a command that sees a folder of installed plugins."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plugin of every role that has a template, written by the command and installed by pip."""
    folder = tmp_path_factory.mktemp("made")
    for role in template_roles():
        assert main(["plugins", "new", f"{role}-my-acme", "--folder", str(folder / role)]) == 0
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "-q"]
    options += ["--disable-pip-version-check", "--target", folder / "site"]
    run("pip", "install", *options, *(folder / role for role in template_roles()),
        cwd=folder, path="")  # fmt: skip
    return folder


def test_the_tests_of_a_new_plugin_pass(made):
    """Each holds its plugin, as installed, against the suite of its role."""
    tests = sorted(made.glob("*/test_*.py"))
    assert len(tests) == len(template_roles())
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib"]
    options += ["--rootdir", made, "-c", os.devnull]
    said = run("pytest", *options, *tests, cwd=made, path=made / "site")
    assert " passed" in said


def test_a_new_plugin_is_checked_without_its_tests(made):
    """`plugins check` makes a plugin of every role, by the suite that it names where it does.

    Other processes find that suite, too, which is no part of a package.
    """
    (made / "check.py").write_text(CHECK)
    names = [f"{role}-my-acme" for role in template_roles()]
    said = run("check", *names, cwd=made, path=f"{made}{os.pathsep}{made / 'site'}")
    found = [json.loads(line) for line in said.splitlines()]
    assert [one["plugin"] for one in found] == names
    for one in found:
        assert {row["status"] for row in one["promises"]} == {"held"}, one


def test_a_new_plugin_is_listed_and_loads(made):
    """`plugins list` shows it under its word; `plugins show` says where it came from."""
    said = run("interlock", "plugins", "list", "--json", cwd=made, path=made / "site")
    listed = {plugin["name"]: plugin for plugin in json.loads(said)}
    for role in template_roles():
        assert listed[f"{role}-my-acme"]["loads"], listed[f"{role}-my-acme"]["problem"]
        assert listed[f"{role}-my-acme"]["word"] == "my-acme"
    role = template_roles()[0]
    said = run("interlock", "plugins", "show", f"{role}-my-acme", "--json",
               cwd=made, path=made / "site")  # fmt: skip
    source = json.loads(said)["source"]
    assert Path(source["location"]) == made / "site"
    assert source["url"] == (made / role).as_uri()


@pytest.fixture
def typed(made, tmp_path):
    """Type a command in a project of new plugins; the server that it leaves is ended."""

    def type_(*words):
        return run("interlock", *words, cwd=tmp_path, path=made / "site")

    yield type_
    type_("undeploy")


def test_new_plugins_of_every_role_run_a_project(typed, tmp_path):
    """A stack of nothing but new plugins takes rows to an endpoint, and tells its observers."""
    (tmp_path / "interlock.toml").write_text(STACK)
    rows = [{"id": place, "x": place % 7, "y": int(place % 4 == 0)} for place in range(400)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    release = json.loads(typed("run", "--json"))["outputs"]["release"]["id"]
    (version,) = json.loads(typed("models", "--from-registry", "--json"))
    assert (version["number"], version["name"]) == ("1", "made")
    (endpoint,) = json.loads(typed("deployments", "--json"))
    assert endpoint["serving"] == [release]
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    heard = [json.loads(line)["kind"] for line in lines]
    assert {"run.started", "candidate.made", "release.made", "run.finished"} <= set(heard)
    (log,) = (tmp_path / "experiments").rglob("log.jsonl")
    assert '"metric": "my-acme.accuracy"' in log.read_text()


@pytest.mark.parametrize("role", template_roles())
def test_the_template_is_the_plugin_of_acme(role, tmp_path):
    """Named acme, a new plugin is its template, byte for byte, and what is common to all."""
    for path in new_plugin(f"{role}-acme", tmp_path / "new"):
        relative = path.relative_to(tmp_path / "new")
        sources = [TEMPLATES / part / relative for part in (f"{role}-acme", "common")]
        (source,) = [source for source in sources if source.is_file()]
        assert path.read_bytes() == source.read_bytes()


def test_contrib_shows_the_templates_that_are_shipped():
    """There is one copy: contrib/template leads to the package's data."""
    assert (ROOT / "contrib/template").resolve() == TEMPLATES.resolve()
    assert (TEMPLATES / "common/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_a_new_name_is_everywhere(tmp_path):
    """No file or line still says Acme, and the class and module are named as Python has it."""
    written = new_plugin("registry-s3-bucket", tmp_path / "new")
    text = "\n".join(path.read_text(encoding="utf-8") for path in written)
    assert "acme" not in text.lower()
    assert "class S3BucketRegistry:" in text
    assert tmp_path / "new/interlock_registry_s3_bucket.py" in written


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("regsitry-x", "did you mean 'registry'?"),
        ("registry", "'' is no word"),
        ("registry-Acme", "'Acme' is no word"),
        ("registry-a/../b", "is no word"),
        ("registry-3d", "is no word"),
        ("data-files", "data-files is installed already, by interlock-data-files"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name, said, tmp_path, capsys, monkeypatch):
    """Nothing is written, and the error says which names are possible."""
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", name]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path, capsys):
    """A folder with something in it is refused and keeps what it has."""
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["plugins", "new", "registry-x", "--folder", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
