"""A tool swapped by its word: what the old one made still answers, and the new one takes over."""

import json
import time
import urllib.request

import pytest

ELSEWHERE = '''\
"""A server elsewhere: a file with what each deployment serves."""

import json
from pathlib import Path

from interlock_hookspecs import Deployment, EndpointStatus, hookimpl, plugin, project_root, setting


@plugin(contract="1.0")
class Elsewhere:
    file: str = setting("elsewhere.json", doc="relative to the project's folder")
    root: Path = project_root()

    @property
    def served(self):
        path = self.root / self.file
        return json.loads(path.read_text()) if path.exists() else {}

    def write(self, served):
        (self.root / self.file).write_text(json.dumps(served))

    @hookimpl
    def apply_endpoint(self, endpoint, id, targets):
        self.write({**self.served, id: [target.release.id for target in targets]})
        return Deployment(id=id, endpoint=endpoint, targets=targets, address=f"file:{self.file}")

    @hookimpl
    def endpoint_status(self, deployment):
        serving = tuple(self.served.get(deployment.id, ()))
        return EndpointStatus(live=bool(serving), ready=bool(serving), serving=serving)

    @hookimpl
    def remove_endpoint(self, deployment):
        self.write({id: served for id, served in self.served.items() if id != deployment.id})
'''


@pytest.fixture
def twice(two, acme, tmp_path):
    """A project that serves its second release, with a third deploy plugin installed."""
    site = tmp_path / "site"
    about = site / "interlock_deploy_elsewhere-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: interlock-deploy-elsewhere\nVersion: 0.1.0\n"
    )
    (about / "entry_points.txt").write_text(
        "[interlock.deploy]\nelsewhere = interlock_deploy_elsewhere:Elsewhere\n"
    )
    (site / "interlock_deploy_elsewhere.py").write_text(ELSEWHERE, encoding="utf-8")
    two.environ["PYTHONPATH"] = f"{acme}:{site}"
    two("run")
    two("run", "--set", "train-sklearn.parameters.max_depth=2")
    return two


def releases(project):
    """The releases of the stack, oldest first."""
    runs = reversed(project.listed("runs"))
    return [run["release"] for run in runs]


def ask(endpoint):
    """Ask a server for one prediction."""
    values = {"id": ("INT64", 1), "x": ("FP64", 0.3), "z": ("FP64", -0.2)}
    inputs = [
        {"name": name, "datatype": kind, "shape": [1], "data": [value]}
        for name, (kind, value) in values.items()
    ]
    url = f"{endpoint['address']}/v2/models/{endpoint['endpoint']}/infer"
    body = json.dumps({"inputs": inputs}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["outputs"]


def test_an_old_endpoint_answers_through_the_plugin_that_made_it(twice):
    """Listed, monitored and rolled back by deploy-local, though the stack names another since."""
    first, second = releases(twice)
    before = twice.endpoint
    twice.edit('deploy = "local"', 'deploy = "acme"')
    assert (twice.endpoint["now"], twice.endpoint["serving"]) == ("answers", [second])
    ask(twice.endpoint)
    twice("rollback")
    assert len(list(twice.servers())) == 1
    after = twice.endpoint
    assert (after["id"], after["serving"]) == (before["id"], [first])
    assert after["body"]["maker"]["plugin"] == "deploy-local"
    deadline = time.monotonic() + 60
    while not (seen := twice.listed("monitor")):
        # A server writes what it captured a little later than it answers.
        assert time.monotonic() < deadline
    (window,) = seen
    assert (window["rows"], window["release"]) == (1, second)


def test_the_new_server_takes_over_at_the_next_deployment(twice):
    """It is another deployment; the old server ends when the new one answers."""
    old = twice.endpoint
    twice.edit('deploy = "local"', 'deploy = "acme"')
    twice("run", "--set", "train-sklearn.parameters.max_depth=1")
    new, ended = twice.listed("deployments")
    assert (new["now"], new["body"]["maker"]["plugin"]) == ("answers", "deploy-acme")
    assert (ended["id"], ended["now"]) == (old["id"], "removed")
    assert len(list(twice.servers())) == 1
    ask(new)
    twice("rollback")
    assert twice.listed("deployments")[0]["serving"] == [old["release"]]


def test_from_a_server_of_ours_to_one_elsewhere_and_back(twice):
    """Each ends what the other made; nothing is left behind on either side."""
    twice.edit('deploy = "local"', 'deploy = "elsewhere"')
    twice("run", "--until", "deploy", "--set", "train-sklearn.parameters.max_depth=1")
    assert list(twice.servers()) == []
    new = twice.listed("deployments")[0]
    assert new["body"]["maker"]["plugin"] == "deploy-elsewhere"
    served = json.loads((twice.folder / "elsewhere.json").read_text())
    assert served == {new["id"]: [new["release"]]}
    assert "is no server of ours" in twice("deployments", "--start", expect=2).err
    twice.edit('deploy = "elsewhere"', 'deploy = "local"')
    twice("rollback")
    assert json.loads((twice.folder / "elsewhere.json").read_text()) == {
        new["id"]: [releases(twice)[1]]
    }
    twice("run", "--until", "deploy", "--set", "train-sklearn.parameters.max_depth=4")
    assert json.loads((twice.folder / "elsewhere.json").read_text()) == {}
    assert len(list(twice.servers())) == 1


def test_a_dead_server_of_old_is_started_by_the_plugin_that_made_it(twice):
    """`deployments --start` brings back what was, whatever the stack names now."""
    import os
    import signal

    (pid,) = twice.servers()
    os.kill(pid, signal.SIGKILL)
    twice.edit('deploy = "local"', 'deploy = "acme"')
    twice("deployments", "--start")
    assert twice.endpoint["body"]["maker"]["plugin"] == "deploy-local"
    assert twice.endpoint["now"] == "answers"


def test_the_old_champion_opens_after_the_trainer_was_swapped(twice):
    """The new trainer's candidate is measured beside it, whoever made it."""
    twice.edit('train = "sklearn"', 'train = "acme"')
    twice("run", "--until", "validate")
    assert twice.run["model"] not in {row["model"] for row in twice.listed("models")}
    twice("rollback")
    assert twice.endpoint["now"] == "answers"


def test_records_read_without_the_plugins_that_made_them(twice, site):
    """What is not installed any more is named where it alone could answer, and nowhere else."""
    twice.edit('deploy = "local"', 'deploy = "elsewhere"')
    twice("run", "--until", "deploy", "--set", "train-sklearn.parameters.max_depth=1")
    run = twice.run
    del twice.environ["PYTHONPATH"]
    for words in (["runs"], ["models"], ["show", run["id"]], ["audit", "verify"], ["audit", "log"]):
        twice(*words)
    twice.edit('deploy = "elsewhere"', 'deploy = "local"')
    twice.edit('[stack.next]\nextends = "dev"\nregistry = "acme"\n', "")
    said = twice("deployments", expect=2)
    assert "deploy-elsewhere is not installed, and only it can answer here" in said.err
    assert "pip install interlock-deploy-elsewhere" in said.err


def test_a_format_that_nothing_opens_says_what_to_install(opened, two):
    """The opener is named by the format that the record has."""
    import attrs
    from swap_project import add_version

    from interlock.errors import PluginLoadError

    session = opened(two, "dev")
    model = attrs.evolve(add_version(session, "bytes").model, format="tensorflow")
    with (
        session.workspace("open") as ws,
        pytest.raises(PluginLoadError, match="opens models of the format 'tensorflow'") as caught,
    ):
        ws.open_model(model)
    assert "pip install interlock-model-tensorflow" in caught.value.hint
