"""A project whose endpoint is asked without a pause, and what became of every request."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest
from load_story import readiness, server_of

HERE = Path(__file__).parent
CONNECTIONS, REQUESTS = {"json": 6, "binary": 5, "grpc": 5}, 100
STACK = """
[stack.dev.deploy-local]
workers = 2
grpc_port = 0

[stack.dev.model-skops]
allow = ["brittle.Failing", "brittle.Late", "brittle.Wrong"]
"""
MODULE = (
    '"""Models that turn out bad."""\n\nfrom brittle import Failing, Late, Wrong  # noqa: F401\n'
)


@attrs.frozen
class Served:
    """A project that serves, and its runs.

    Attributes:
        project: a `SmallProject`.
        good: two releases, one of scikit-learn's and one of ONNX, and the run of each.
        bad: by release, the run of it: one that fails, one that is late, one that is wrong.
        rows: what is asked.
        expected: what each release answers to each row.
    """

    project: object
    good: dict
    bad: dict
    rows: list
    expected: dict

    def asking(self, folder):
        """Ask it from now on; see `Asking`."""
        served = self.project.endpoint
        url = urlsplit(served["address"])
        plan = {
            "host": url.hostname,
            "port": url.port,
            "path": f"/v2/models/{served['endpoint']}/infer",
            "grpc": readiness(served["address"])["grpc"],
            "model": served["endpoint"],
            "server": server_of(self.project.folder),
            "connections": CONNECTIONS,
            "requests": REQUESTS,
            "rows": self.rows,
            "expected": self.expected,
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        return Asking(folder)


class Asking:
    """A process that asks, from its making until `end`."""

    connections = CONNECTIONS

    def __init__(self, folder):
        self._result = folder / "result.json"
        self._process = subprocess.Popen(
            [sys.executable, HERE / "load_client.py", folder / "plan.json", self._result],
            stdin=subprocess.PIPE,
        )

    def end(self):
        """Let it end, and give what it counted."""
        self._process.communicate(timeout=300)
        assert self._process.returncode == 0
        return json.loads(self._result.read_bytes())

    def kill(self):
        """End it at once, where it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def released(project, *said):
    """A release of a new run, and that run."""
    project("run", "--until", "review", *(word for how in said for word in ("--set", how)))
    release = project.listed("audit", "log", "--kind", "release.made", "--limit", 100)[-1]
    return release["subject"], project.run["id"]


@pytest.fixture(scope="module")
def served(make_project, rows, tmp_path_factory):
    """An endpoint of two processes, two good releases, and three that turn out bad."""
    project = make_project(tmp_path_factory.mktemp("load") / "small")
    shutil.copy(HERE / "brittle.py", project.folder)
    (project.folder / "project.py").write_text(MODULE)
    with (project.folder / "interlock.toml").open("a") as file:
        file.write(STACK)
    depth = "train-sklearn.parameters.max_depth"
    good = dict([released(project, f"{depth}=4"), released(project, f"{depth}=3", "package=onnx")])
    project("deploy", next(iter(good.values())))
    names = ("Failing", "Late", "Wrong")
    bad = dict(released(project, f"train-sklearn.estimator=project:{name}") for name in names)
    (project.folder / "bad").touch()
    asked = rows.select(["id", "x", "z"]).slice(0, 100).to_pylist()
    (project.folder / "asked.json").write_text(json.dumps(asked))
    said = subprocess.run(
        [sys.executable, HERE / "load_expected.py", "interlock.toml", "asked.json"],
        cwd=project.folder,
        env={**project.environ, "PYTHONPATH": str(project.folder)},
        stdout=subprocess.PIPE,
        check=True,
    )
    yield Served(project, good, bad, asked, json.loads(said.stdout))
    project.close()
