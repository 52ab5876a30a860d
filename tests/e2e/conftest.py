"""Small projects on which commands are typed in this process; their servers end with the test."""

import contextlib
import http.client
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from interlock import testing

RUNNER, REVIEWER = testing.ACTOR, "ben"

STACK = """\
{head}
[project]
name = "small"
{module}

[task]
dataset = "rows.parquet"
id = "id"
target = "y"
kind = "binary"
positive = 1
sensitive = ["group"]
holdout = 0.5

[policy]
{policy}

[policy.bounds]
{bounds}

[stack.dev]
data = "files"
train = "sklearn"
validate = ["metrics", "fairness"]
registry = "sql"
govern = {govern}
deploy = "local"
monitor = ["drift", "performance"]
ledger = "sqlite:///.interlock/ledger.db"
artifacts = ".interlock/artifacts"

[stack.dev.train-sklearn]
estimator = "sklearn.tree.DecisionTreeClassifier"
parameters = {{ max_depth = 3 }}

[stack.prod]
extends = "dev"
"""


class Project(testing.Project):
    """A project, and whoever has an account on its machine."""

    def session(self, actor="mallory"):
        """The project as Python code on the same machine has it: past every command."""
        from interlock.session import Session
        from interlock.stack import load_stack
        from interlock_hookspecs import Actor

        return Session(load_stack(self.folder), actor=Actor(subject=actor))


@pytest.fixture
def start(tmp_path, interlock_at):
    """Begin a project in a folder of the test."""

    def begin(folder="."):
        return interlock_at(tmp_path / folder, Project)

    return begin


@pytest.fixture(scope="session")
def rows():
    """600 rows: an outcome that x and z tell; two large groups, a and b, and a small one, c."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(0)
    x, z = random.normal(size=(2, 600))
    group = np.array(list("caabb"))[np.arange(600) % 5]
    y = (x + 0.5 * z + 0.3 * random.normal(size=600) > 0).astype(int)
    return pa.table({"id": np.arange(600), "x": x, "z": z, "group": group, "y": y})


def write_project(
    folder,
    rows,
    *,
    head="",
    policy="approvals = 0",
    bounds='"metrics.roc_auc" = ">= 0.7"',
    govern='["policy"]',
    module=None,
):
    """Write a project over the rows: its policy, its bounds and its module as the test says."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, folder / "rows.parquet")
    if module is not None:
        (folder / "project.py").write_text(module, encoding="utf-8")
    text = STACK.format(
        head=head,
        module='module = "project.py"' if module is not None else "",
        policy=policy,
        bounds=bounds,
        govern=govern,
    )
    (folder / "interlock.toml").write_text(text, encoding="utf-8")


@pytest.fixture
def project(start, rows):
    """Make a project over the rows; see `write_project`."""

    def make(**stack):
        made = start()
        write_project(made.folder, rows, **stack)
        return made

    return make


@pytest.fixture(scope="session")
def write_project_at(rows):
    """Write a project into a folder that outlives a test; no command of it may leave a server."""

    def write(folder, **stack):
        write_project(folder, rows, **stack)
        return Project(folder)

    return write


@pytest.fixture(scope="session")
def lived_once(tmp_path_factory, rows):
    """The folder of a project with a released run of ana's and a refused one of ben's."""
    made = Project(tmp_path_factory.mktemp("lived"))
    write_project(made.folder, rows, bounds='"metrics.roc_auc" = ">= 0.9"')
    made("run", "--until", "review")
    made("run", "--set", "train-sklearn.parameters.max_depth=1", expect=3, actor="ben")
    return made.folder


@pytest.fixture
def lived(start, lived_once):
    """A project of the test's own with that past."""
    made = start()
    # SQLite makes its shared memory anew from the log beside it.
    skipped = shutil.ignore_patterns("*-shm")
    shutil.copytree(lived_once, made.folder, dirs_exist_ok=True, ignore=skipped)
    return made


@pytest.fixture(scope="session")
def released_once(tmp_path_factory, write_project_at):
    """The folder of a project with a release that is not deployed yet."""
    folder = tmp_path_factory.mktemp("released")
    write_project_at(folder, bounds='"metrics.roc_auc" = ">= 0.5"')("run", "--until", "review")
    return folder


@pytest.fixture
def rolled(start, released_once):
    """A project whose first release is live, and what a rollout of the next one needs."""

    def begin(strategy, bounds=None, *, prepare=None, **keys):
        made = start()
        skipped = shutil.ignore_patterns("*-shm")
        shutil.copytree(released_once, made.folder, dirs_exist_ok=True, ignore=skipped)
        if prepare is not None:
            prepare(made)
        made("run")
        text = [f'\n[stack.dev.rollout]\nstrategy = "{strategy}"\n']
        text += [f"{key} = {value}\n" for key, value in {"window": 0, **keys}.items()]
        text.append("[stack.dev.rollout.bounds]\n" if bounds else "")
        text += [f'"{key}" = {value}\n' for key, value in (bounds or {}).items()]
        with (made.folder / "interlock.toml").open("a") as file:
            file.writelines(text)
        return made

    return begin


@pytest.fixture
def ask_each(rows):
    """Ask an endpoint about so many rows, one a request, and give what it said to each."""

    def ask(project, count, *, key=None, null=False):
        endpoint = project.endpoint
        url = urlsplit(endpoint["address"])
        link = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        answers = []
        with contextlib.closing(link):
            for row in rows.slice(0, count).to_pylist():
                inputs = [
                    {"name": "id", "datatype": "INT64", "shape": [1], "data": [row["id"]]},
                    {"name": "x", "datatype": "FP64", "shape": [1],
                     "data": [None if null else row["x"]]},
                    {"name": "z", "datatype": "FP64", "shape": [1], "data": [row["z"]]},
                    {"name": "group", "datatype": "BYTES", "shape": [1], "data": [row["group"]]},
                ]  # fmt: skip
                headers = {"x-sticky-key": key} if key else {}
                path = f"/v2/models/{endpoint['endpoint']}/infer"
                link.request("POST", path, json.dumps({"inputs": inputs}), headers)
                answers.append(json.loads(link.getresponse().read()))
        return answers

    return ask


@pytest.fixture
def send(ask_each):
    """Ask an endpoint about so many rows: how often which release answered, or what went wrong."""

    def ask(project, count, **how):
        said = ask_each(project, count, **how)
        return Counter(each.get("model_version", each.get("error")) for each in said)

    return ask


@pytest.fixture
def interlock(tmp_path):
    """Type a command in a process of its own."""
    import subprocess

    script = Path(sys.executable).with_name("interlock")

    def run(*words, folder=tmp_path, **environ):
        return subprocess.run(
            [script, *words],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
