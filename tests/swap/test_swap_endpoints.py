"""A tool swapped by its word: what the old one made still answers, and the new one takes over."""

import json

import pyarrow as pa
import pytest
from installed import distribution
from swap_project import holds

from interlock.lifecycle.dossiers import dossier_of

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
    points = "[interlock.deploy]\nelsewhere = interlock_deploy_elsewhere:Elsewhere\n"
    distribution(site, "interlock-deploy-elsewhere", "0.1.0", points)
    (site / "interlock_deploy_elsewhere.py").write_text(ELSEWHERE, encoding="utf-8")
    two.environ["PYTHONPATH"] = f"{acme}:{site}"
    two("run")
    two("run", "--set", "train-sklearn.parameters.max_depth=2")
    return two


def releases(project):
    """The releases of the stack, oldest first."""
    runs = reversed(project.listed("runs"))
    return [run["release"] for run in runs]


ONE = pa.table({"id": [1], "x": [0.3], "z": [-0.2]})


def test_an_old_endpoint_answers_through_the_plugin_that_made_it(twice, ask, until):
    """Listed, monitored and rolled back by deploy-local, though the stack names another since."""
    first, second = releases(twice)
    before = twice.endpoint
    twice.edit('deploy = "local"', 'deploy = "acme"')
    assert (twice.endpoint["now"], twice.endpoint["serving"]) == ("answers", [second])
    assert ask(twice.endpoint, ONE)[0] == 200
    twice("rollback")
    assert len(list(twice.servers())) == 1
    after = twice.endpoint
    assert (after["id"], after["serving"]) == (before["id"], [first])
    assert after["body"]["maker"]["plugin"] == "deploy-local"
    # A server writes what it captured a little later than it answers.
    seen = until(lambda: twice.listed("monitor"))
    (window,) = seen
    assert (window["rows"], window["release"]) == (1, second)


def test_a_profile_is_compared_by_the_monitor_that_made_it(twice, ask, until):
    """The release was profiled by monitor-drift: its traffic is, though the stack swapped it."""
    assert ask(twice.endpoint, ONE)[0] == 200
    twice.edit('monitor = ["drift", "performance"]', 'monitor = ["acme"]')
    (window,) = until(lambda: twice.listed("monitor"))
    made = {finding["maker"]["plugin"] for finding in window["findings"]}
    assert made == {"monitor-drift", "monitor-acme"}
    twice("run", "--until", "deploy", "--set", "train-sklearn.parameters.max_depth=1")
    assert ask(twice.endpoint, ONE)[0] == 200
    (window,) = until(
        lambda: [one for one in twice.listed("monitor") if one["release"] == twice.run["release"]]
    )
    made = {finding["maker"]["plugin"] for finding in window["findings"]}
    assert made == {"monitor-acme"}


def test_the_new_server_takes_over_at_the_next_deployment(twice, ask):
    """It is another deployment; the old server ends when the new one answers."""
    old = twice.endpoint
    twice.edit('deploy = "local"', 'deploy = "acme"')
    twice("run", "--set", "train-sklearn.parameters.max_depth=1")
    new, ended = twice.listed("deployments")
    assert (new["now"], new["body"]["maker"]["plugin"]) == ("answers", "deploy-acme")
    assert (ended["id"], ended["now"]) == (old["id"], "removed")
    assert len(list(twice.servers())) == 1
    assert ask(new, ONE)[0] == 200
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


def test_the_old_champion_opens_after_the_registry_was_swapped(two, opened):
    """Its version is in the new registry, and the next candidate is measured beside it."""
    two("run", "--until", "deploy")
    old = two.run["model"]
    two("stack", "apply", "--to", "next")
    two.edit('registry = "sql"', 'registry = "acme"')
    two("run", "--until", "review", "--set", "train-sklearn.parameters.max_depth=2")
    session = opened(two, "dev")
    review = session.ledger.reads.reviews("small")[0]
    assert review["run"] == two.run["id"]
    assert dossier_of(session, review).champion == old
    assert [one.digest for one in holds(session)] == [old, two.run["model"]]


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
