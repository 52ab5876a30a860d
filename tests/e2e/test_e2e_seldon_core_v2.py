"""A model's life on Seldon Core 2 by commands: deployed, rolled out, gone back from, and refused.

The cluster is a stand-in of the Kubernetes API, asked by the official client.
"""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.stand_in
PATIENCE = {"window": 0, "min_requests": 20}
WATCH = ("rollout", "watch", "--every", "0.1")
ADVANCE = ("rollout", "advance")
LIKE = ("--set", "train-sklearn.parameters.max_depth=2")
HELD, BACK = 4, 5
SETTINGS = """
[stack.dev.deploy-seldon]
target = "core-v2"
kubeconfig = "kubeconfig"
storage = "store"
mesh = "http://mesh.example"
settle_seconds = 0.0
ready_seconds = 60.0
"""


@pytest.fixture
def seldon(project, seldon_cluster):
    """A project whose stack serves by the cluster."""

    def make(*, package="onnx", **settings):
        made = project()
        words = f'deploy = "seldon"\npackage = "{package}"' if package else 'deploy = "seldon"'
        made.edit('deploy = "local"', words)
        seldon_cluster.kubeconfig(made.folder / "kubeconfig")
        with (made.folder / "interlock.toml").open("a") as file:
            file.write(SETTINGS)
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
        return made

    return make


def rollout(made, strategy, bounds, **keys):
    """Let the next release come in steps."""
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(f'\n[stack.dev.rollout]\nstrategy = "{strategy}"\n')
        file.writelines(f"{key} = {value}\n" for key, value in {**PATIENCE, **keys}.items())
        file.write("[stack.dev.rollout.bounds]\n")
        file.writelines(f'"{key}" = "{value}"\n' for key, value in bounds.items())


def split(cluster):
    """The Models of the only endpoint and their weights."""
    (experiment,) = cluster.of("Experiment").values()
    return {each["name"]: each["weight"] for each in experiment["spec"]["candidates"]}


def test_a_release_is_deployed_told_and_gone_back_from(seldon, seldon_cluster):
    """Deployments, status and rollback are those of any server; the cluster has what is said."""
    made = seldon()
    made("run", "--until", "deploy")
    (first,) = split(seldon_cluster)
    said = made.endpoint
    assert said["address"].startswith("http://mesh.example/v2/models/")
    assert said["live"].startswith("release-")
    made("run", "--until", "deploy", *LIKE)
    (second,) = split(seldon_cluster)
    assert second != first
    made("rollback")
    assert split(seldon_cluster) == {first: 100}
    made("audit", "verify")
    made("undeploy")
    assert seldon_cluster.of("Experiment") == {}


def test_a_canary_is_judged_by_the_counts_of_prometheus(seldon, seldon_cluster, prometheus):
    """Weights step by step; what the agents count takes it on, or back."""
    made = seldon(prometheus=prometheus.url)
    made("run", "--until", "deploy")
    (first,) = split(seldon_cluster)
    rollout(made, "canary", {"rollout.error_rate": "<= 0.05"}, steps="[0.05, 0.5]")
    made("run", "--until", "deploy", *LIKE)
    assert sorted(split(seldon_cluster).values()) == [5, 95]
    made(*ADVANCE, expect=0)
    (second,) = split(seldon_cluster).keys() - {first}
    prometheus.counts[second, "200"] = 30
    made(*ADVANCE)
    assert split(seldon_cluster) == {first: 50, second: 50}
    prometheus.counts[second, "500"] = 30
    said = made(*WATCH, expect=BACK)
    assert "rollout.error_rate" in said.out + said.err
    assert split(seldon_cluster) == {first: 100}
    (judged, back) = made.events("rollout.judged")
    assert (judged["decision"], back["decision"]) == ("promote", "rollback")


@pytest.mark.parametrize(
    ("strategy", "weights", "mirrored"),
    [
        ("blue-green", [100, 0], False),
        ("shadow", [100], True),
        ("champion-challenger", [50, 50], False),
    ],
)
def test_each_strategy_is_rendered_and_takes_over(
    seldon, seldon_cluster, prometheus, strategy, weights, mirrored
):
    """Its step stands in the Experiment; by good counts, or a person, the new one has all."""
    made = seldon(prometheus=prometheus.url)
    made("run", "--until", "deploy")
    (first,) = split(seldon_cluster)
    keys = {"steps": "[0.5]"} if strategy == "champion-challenger" else {}
    rollout(made, strategy, {"rollout.error_rate": "<= 0.05"}, **keys)
    made("run", "--until", "deploy", *LIKE)
    (experiment,) = seldon_cluster.of("Experiment").values()
    assert [each["weight"] for each in experiment["spec"]["candidates"]] == weights
    assert ("mirror" in experiment["spec"]) == mirrored
    (second,) = seldon_cluster.of("Model").keys() - {first}
    prometheus.counts[second, "200"] = 0
    made(*ADVANCE)
    prometheus.counts[second, "200"] = 30
    if made(*WATCH, expect=None).code == HELD:
        made("rollout", "promote", "--reason", "both do well")
    assert split(seldon_cluster) == {second: 100}
    assert made.listed("rollout", "status", "--limit", 1)[0]["status"] == "promoted"


def test_a_rollout_without_counts_is_refused_before_anything_is_done(seldon, seldon_cluster):
    """Without a Prometheus the plugin lacks `read_traffic`, as `plugins` and `stack` see it."""
    made = seldon()
    made("run", "--until", "deploy")
    before = split(seldon_cluster)
    rollout(made, "canary", {"rollout.error_rate": "<= 0.05"}, steps="[0.5]")
    said = made("run", "--until", "deploy", *LIKE, expect=2)
    assert "does not tell what each release is asked (read_traffic)" in said.err
    assert split(seldon_cluster) == before


def test_rows_that_nobody_keeps_are_no_evidence(seldon, prometheus):
    """A run ends well, and says that nobody watches; a bound on rows is refused at the start."""
    made = seldon(prometheus=prometheus.url)
    said = made("run")
    assert "not watched: deploy-seldon 0.1.0 does not read back what it answered" in said.err
    rollout(made, "canary", {"rollout.agreement": ">= 0.9"}, steps="[0.5]")
    said = made("run", *LIKE, expect=2)
    assert "bounds rollout.agreement: the deploy plugin (seldon) does not read back" in said.err


def test_a_model_that_no_server_loads_is_refused(seldon, seldon_cluster):
    """skops, in a sentence that says what to write; nothing is made."""
    said = seldon(package="")("run", "--until", "deploy", expect=1)
    assert 'write package = "onnx" in the stack' in said.err
    assert seldon_cluster.objects == {}


def test_a_cluster_that_is_away_leaves_the_release_as_it_was(seldon, seldon_cluster):
    """The command says so; asked again once it is back, it deploys."""
    made = seldon()
    made("run", "--until", "review")
    seldon_cluster.stop()
    said = made("run", "--until", "deploy", expect=1)
    assert "the API server of the cluster does not answer" in said.err
    seldon_cluster.start()
    made("run", "--until", "deploy")
    assert list(split(seldon_cluster).values()) == [100]


def test_from_our_own_server_to_a_cluster_and_back_is_one_word(project, seldon_cluster):
    """`deploy = "local"` ends when the cluster serves; and the other way round."""
    made = project()
    made.edit('deploy = "local"', 'deploy = "local"\npackage = "onnx"')
    seldon_cluster.kubeconfig(made.folder / "kubeconfig")
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(SETTINGS)
    made("run", "--until", "deploy")
    made.edit('deploy = "local"', 'deploy = "seldon"')
    made("run", "--until", "deploy", "--again")
    assert list(split(seldon_cluster).values()) == [100]
    standing = [each for each in made.listed("deployments") if each["status"] == "applied"]
    assert len(standing) == 1
    made.edit('deploy = "seldon"', 'deploy = "local"')
    made("run", "--until", "deploy", "--again")
    assert seldon_cluster.of("Experiment") == {}


def test_in_an_environment_of_its_own_it_is_the_same(seldon, seldon_cluster):
    """Its worker tells which hooks it leaves out, and applies and removes as it does here."""
    made = seldon(python=sys.executable)
    made("run", "--until", "deploy")
    assert list(split(seldon_cluster).values()) == [100]
    funnel = made.session().funnel
    assert (funnel.has("serve_endpoint"), funnel.has("read_traffic")) == (False, False)
    made("undeploy")
    assert seldon_cluster.of("Experiment") == {}


def test_the_suite_of_the_distribution_holds_it_on_a_cluster(seldon_cluster, tmp_path):
    """`plugins check` with the settings of a cluster tries the plugin's promises there."""
    settings = {
        "target": "core-v2",
        "kubeconfig": seldon_cluster.kubeconfig(tmp_path / "kubeconfig"),
        "storage": tmp_path / "store",
        "settle_seconds": 0.0,
    }
    words = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    only = ("test_it_keeps_to_the_form", "test_new_targets_take_the_place_of_the_old")
    words += [part for name in only for part in ("--only", name)]
    command = [sys.executable, "-m", "interlock", "plugins", "check", "deploy-seldon", *words]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.rstrip().endswith("2 held")
    assert seldon_cluster.of("Experiment")


@pytest.mark.parametrize("target", ["mlserver", "core-v2"])
def test_each_target_has_its_own_hooks(seldon, target):
    """A stack's plugin is asked by the hook of its target; the other it lacks."""
    made = seldon()
    made.edit('target = "core-v2"', f'target = "{target}"')
    funnel = made.session().funnel
    assert funnel.has("apply_endpoint") == (target == "core-v2")
    assert funnel.has("serve_endpoint") == (target == "mlserver")
    assert funnel.has("read_traffic") == (target == "mlserver")
    said = made("stack", "check")
    assert said.code == 0
