"""Small projects on which commands are typed in this process; their servers end with the test."""

import contextlib
import http.client
import io
import json
import os
import shutil
import sys
import time
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import attrs
import pytest

from interlock.cli.main import main

RUNNER, REVIEWER = "ana", "ben"
PATIENCE = 20.0

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


def pytest_collection_modifyitems(items):
    """Let the commands of these tests leave servers behind, as commands do; fixtures end them."""
    left = "ignore:subprocess [0-9]+ is still running:ResourceWarning"
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(left))


@attrs.frozen
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Project:
    """A project's folder, and a person who types commands there."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *words, expect=0, actor=RUNNER):
        """Type a command; its exit code must be the expected one, None for any."""
        _forget_project_modules()
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, {"INTERLOCK_ACTOR": actor, "OMP_NUM_THREADS": "1"}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main([str(word) for word in words])
        said = Said(code, out.getvalue(), err.getvalue())
        typed = " ".join(map(str, words))
        assert expect in (code, None), f"interlock {typed}\n{said.out}{said.err}"
        return said

    def listed(self, *words, expect=0):
        """What a command prints with --json."""
        return json.loads(self(*words, "--json", expect=expect).out)

    def events(self, kind):
        """The payloads of the events of a kind, oldest first."""
        found = self.listed("audit", "log", "--kind", kind, "--limit", 1000)
        return [event["payload"] for event in found]

    @property
    def run(self):
        """The latest run."""
        return self.listed("runs", "--limit", 1)[0]

    @property
    def endpoint(self):
        """The latest deployment, and how it is now."""
        return self.listed("deployments", "--limit", 1)[0]

    def edit(self, old, new, file="interlock.toml"):
        """Replace what stands once in a file."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")

    def session(self, actor="mallory"):
        """The project as Python code on the same machine has it: past every command."""
        from interlock.session import Session
        from interlock.stack import load_stack
        from interlock_hookspecs import Actor

        return Session(load_stack(self.folder), actor=Actor(subject=actor))

    def end(self):
        """End every server that was started here."""
        if (self.folder / ".interlock/ledger.db").exists():
            from interlock.codec import decode
            from interlock.serving.process import is_ours, stop
            from interlock_hookspecs import Deployment

            for row in self.session().ledger.reads.deployments():
                deployment = decode(Deployment, row["body"])
                if is_ours(deployment):
                    stop(deployment)


def _forget_project_modules():
    # Each command of a person is a process of its own, in which project.py is imported anew.
    for name in [name for name in sys.modules if name.startswith("interlock_project_")]:
        del sys.modules[name]


@pytest.fixture
def start(tmp_path):
    """Begin a project in a folder of the test."""
    begun = []
    path = list(sys.path)

    def begin(folder="."):
        project = Project(tmp_path / folder)
        begun.append(project)
        return project

    yield begin
    for project in begun:
        project.end()
    _forget_project_modules()
    sys.path[:] = path


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


@pytest.fixture
def ask():
    """Ask an endpoint for predictions over the Open Inference Protocol."""
    types = {"double": "FP64", "int64": "INT64"}

    def post(deployment, table):
        inputs = [
            {
                "name": name,
                "datatype": types.get(str(table[name].type), "BYTES"),
                "shape": [table.num_rows],
                "data": table[name].to_pylist(),
            }
            for name in table.column_names
        ]
        url = urlsplit(deployment["address"])
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            path = f"/v2/models/{deployment['endpoint']}/infer"
            connection.request("POST", path, json.dumps({"inputs": inputs}))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        if answer.status != 200:
            return answer.status, said
        return 200, {output["name"]: output["data"] for output in said["outputs"]}

    return post


@pytest.fixture
def until():
    """Wait until something is so, and fail where it never comes to be."""

    def wait(holds, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.02)
        return found

    return wait


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
            timeout=120,
            check=False,
        )

    return run
