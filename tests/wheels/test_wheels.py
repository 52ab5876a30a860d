"""What a user installs: the wheels, and nothing of the checkout."""

import json
import os
import shutil
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = ("hookspecs", "worker", "serving", "core", "plugins", "contrib")
CONTRIB = sorted(path.parent.name for path in ROOT.glob("contrib/*/pyproject.toml"))
# What `python -m build --no-isolation` asks of the backend, in one process instead of three.
BUILD = """
import os, sys
from setuptools import build_meta
os.chdir(sys.argv[2])
build_meta.build_wheel(sys.argv[1])
"""
MAKE_DATA = """
import pyarrow as pa, pyarrow.parquet as pq
from sklearn.datasets import load_breast_cancer
found = load_breast_cancer()
columns = {name.replace(" ", "_"): found.data[:, i] for i, name in enumerate(found.feature_names)}
columns |= {"id": list(range(len(found.target))), "benign": found.target}
pq.write_table(pa.table(columns), "cancer.parquet")
"""
WHERE = """
import importlib, json
names = ["interlock", "interlock_hookspecs", "interlock_train_sklearn", "interlock_deploy_local"]
print(json.dumps([importlib.import_module(name).__file__ for name in names]))
"""


def run(*command, cwd, expect=0):
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**environ, "INTERLOCK_ACTOR": "dana"},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The wheels, built from a copy of what git knows: a build leaves traces in its folder."""
    source = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    for name in listed:
        member = "/" not in name or name.split("/")[0] in MEMBERS
        if member and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    dist = tmp_path_factory.mktemp("dist")
    members = [source, *(path.parent for path in source.glob("*/pyproject.toml"))]
    for shelf in ("plugins", "contrib"):
        members += [path.parent for path in source.glob(f"{shelf}/*/pyproject.toml")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(
            lambda member: run(sys.executable, "-c", BUILD, dist, member, cwd=source), members
        ):
            pass
    return dist


def pip_install(python, wheels, *names, cwd):
    """Install from the wheels, and from pinned versions of all else."""
    options = ["-q", "--no-compile", "--find-links", wheels]
    options += ["--constraint", ROOT / "constraints.txt"]
    run(python, "-m", "pip", "install", *options, *names, cwd=cwd)


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    """A new environment with the distribution `interlock` in it, from the wheels."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip_install(python, wheels, "interlock", cwd=folder)
    return python


@pytest.fixture(scope="module")
def with_contrib(installed, wheels, tmp_path_factory):
    """An environment over that one which has the plugins of contrib as well."""
    folder = tmp_path_factory.mktemp("contrib") / "venv"
    venv.create(folder)
    (under,) = installed.parents[1].glob("lib/python*/site-packages")
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "under.pth").write_text(f"import site; site.addsitedir({str(under)!r})\n")
    python = folder / "bin/python"
    pip_install(python, wheels, *(f"interlock-{name}" for name in CONTRIB), cwd=folder)
    return python


def test_the_wheels_run_a_project_from_start_to_finish(installed, tmp_path):
    """pip install interlock, init, run, an answer, undeploy: all outside the checkout."""
    interlock = installed.with_name("interlock")
    places = json.loads(run(installed, "-c", WHERE, cwd=tmp_path))
    assert all(Path(place).is_relative_to(installed.parents[1]) for place in places)
    run(installed, "-c", MAKE_DATA, cwd=tmp_path)
    run(
        interlock, "init", "--name", "cancer", "--data", "cancer.parquet", "--target", "benign",
        cwd=tmp_path,
    )  # fmt: skip
    try:
        ended = json.loads(run(interlock, "run", "--json", cwd=tmp_path))
        assert ended["last"] == "monitor"
        (deployment,) = json.loads(run(interlock, "deployments", "--json", cwd=tmp_path))
        assert deployment["now"] == "answers"
        assert "verify" in run(interlock, "audit", "verify", "--artifacts", cwd=tmp_path)
    finally:
        run(interlock, "undeploy", cwd=tmp_path)


def test_the_installed_packages_agree_on_what_they_need(installed, tmp_path):
    """pip finds no requirement unmet, and every plugin loads."""
    run(installed, "-m", "pip", "check", cwd=tmp_path)
    listed = json.loads(
        run(installed.with_name("interlock"), "plugins", "list", "--json", cwd=tmp_path)
    )
    assert len(listed) == 11
    assert [plugin["name"] for plugin in listed if not plugin["loads"]] == []


def test_the_wheels_bring_the_templates_of_plugins(installed, tmp_path):
    """A new plugin written outside of the checkout has the files of the checkout's template."""
    template = ROOT / "core/interlock/template"
    interlock = installed.with_name("interlock")
    for source in sorted(template.glob("*-acme")):
        made = tmp_path / source.name
        run(interlock, "plugins", "new", source.name, "--folder", made, cwd=tmp_path)
        sources = [*source.rglob("*"), *(template / "common").rglob("*")]
        expected = {path.name for path in sources if path.is_file() and path.suffix != ".pyc"}
        assert {path.name for path in made.rglob("*") if path.is_file()} == expected


def test_a_plugin_is_installed_into_an_environment_of_its_own(installed, wheels, tmp_path):
    """It is there with a worker and no core, the printed lines load it, and twice is once."""
    interlock = installed.with_name("interlock")
    stack = tmp_path / "interlock.toml"
    stack.write_text('[project]\nname = "p"\n\n[stack.dev]\ngovern = "policy"\n\n')
    words = ["plugins", "install", "govern-policy", "--isolated"]
    words += ["--constraint", ROOT / "constraints.txt"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", str(wheels))
        lines = run(interlock, *words, cwd=tmp_path)
        assert lines == '[stack.dev.govern-policy]\npython = ".venvs/govern-policy/bin/python"\n'
        assert run(interlock, *words, cwd=tmp_path) == lines
    stack.write_text(stack.read_text() + lines)
    assert "govern-policy 0.1.0" in run(interlock, "stack", "check", cwd=tmp_path)
    python = tmp_path / ".venvs/govern-policy/bin/python"
    there = json.loads(run(python, "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    ours = {package["name"] for package in there if package["name"].startswith("interlock")}
    assert ours == {"interlock-govern-policy", "interlock-hookspecs", "interlock-worker"}
    shown = json.loads(run(interlock, "plugins", "show", "govern-policy", "--json", cwd=tmp_path))
    assert shown["python"] == str(python)


def test_the_plugins_of_contrib_run_from_their_wheels(with_contrib, installed, tmp_path):
    """Beside the embedded stack: each loads from its wheel, and a run goes through both."""
    interlock = (with_contrib, "-m", "interlock")
    run(with_contrib, "-m", "pip", "check", cwd=tmp_path)
    listed = json.loads(run(*interlock, "plugins", "list", "--json", cwd=tmp_path))
    found = {plugin["name"]: plugin for plugin in listed}
    assert len(found) == 11 + len(CONTRIB)
    for name in CONTRIB:
        assert found[name]["loads"], found[name]["problem"]
        shown = json.loads(run(*interlock, "plugins", "show", name, "--json", cwd=tmp_path))
        assert Path(shown["source"]["location"]).is_relative_to(with_contrib.parents[1])
    run(installed, "-c", MAKE_DATA, cwd=tmp_path)
    told = ("--name", "cancer", "--data", "cancer.parquet", "--target", "benign")
    run(*interlock, "init", *told, cwd=tmp_path)
    stack = tmp_path / "interlock.toml"
    text = stack.read_text().replace('registry = "sql"', 'registry = "git"\ntrack = "openlineage"')
    stack.write_text(text)
    run(*interlock, "run", "--until", "register", cwd=tmp_path)
    (version,) = json.loads(run(*interlock, "models", "--from-registry", "--json", cwd=tmp_path))
    tags = run("git", "tag", cwd=tmp_path / ".interlock/models.git").split()
    assert tags == [f"models/cancer/v{version['number']}"]
    lines = (tmp_path / "openlineage.jsonl").read_text().splitlines()
    assert {"START", "COMPLETE"} <= {json.loads(line)["eventType"] for line in lines}
