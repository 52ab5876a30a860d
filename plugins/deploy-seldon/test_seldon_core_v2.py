"""The target core-v2 on a cluster: the official client against a stand-in of the Kubernetes API.

The stand-in holds each request to the published fields and answers as an API server does; a
controller of its own sets conditions, in its own time, and a mesh routes by them.
"""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from seldon_client import asked_all_the_while, until, until_models

from interlock_deploy_seldon import SeldonServer
from interlock_deploy_seldon.core_v2 import applying
from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_hookspecs import Conflict, Unavailable
from interlock_hookspecs.conformance.released import ENDPOINT

pytestmark = pytest.mark.stand_in
EXPERIMENT = endpoint_name(ENDPOINT)


def test_a_rollout_fails_no_request(core_v2, seldon_cluster, apply, released):
    """Step by step, with models and a mesh that take their time, each request is answered.

    Canary, blue-green, shadow, champion and challengers; what is used no longer is gone.
    """
    plugin = core_v2(settle_seconds=3.0)
    apply(released(1), plugin=plugin)
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the first release is never served")
    seldon_cluster.slow, seldon_cluster.switch = 0.2, 0.3
    steps = [
        [released(1, 0.95), released(2, 0.05)],
        [released(1, 0.5), released(2, 0.5)],
        [released(2), released(1, 0.0)],
        [released(2)],
        [released(2), released(3, 0.0, mirror=True)],
        [released(2, 1 / 3), released(3, 1 / 3), released(4, 1 / 3)],
        [released(5)],
    ]
    with asked_all_the_while(seldon_cluster, EXPERIMENT) as failed:
        for step in steps:
            made = apply(*step, plugin=plugin)
            until_models(seldon_cluster, *(each.release.id for each in step))
            assert plugin.endpoint_status(deployment=made).serving == tuple(
                each.release.id for each in step
            )
    assert not failed
    (left,) = seldon_cluster.of("Experiment").values()
    assert [each["weight"] for each in left["spec"]["candidates"]] == [100]


def test_a_switch_without_time_to_settle_fails_requests(seldon_cluster, apply, core_v2, released):
    """The stand-in's mesh does lag: so it is the time to settle that saves requests above."""
    apply(released(1))
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the first release is never served")
    seldon_cluster.switch = 1e9
    with asked_all_the_while(seldon_cluster, EXPERIMENT) as failed:
        apply(released(2), plugin=core_v2(settle_seconds=0.0))
        until(lambda: failed, "requests are answered by a model that is gone")
    seldon_cluster.hurry()
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the second release is never served")


def test_asked_again_nothing_is_written(seldon_cluster, apply, released, tmp_path):
    """The same targets: no request that changes anything, no file stored anew."""
    targets = [released(1, 0.9), released(2, 0.1)]
    made = apply(*targets)
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")}
    seldon_cluster.calls.clear()
    assert apply(*targets) == made
    assert seldon_cluster.writes() == []
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*")} == stored


def test_the_order_is_models_then_the_switch_then_the_end_of_the_old(
    seldon_cluster, apply, released
):
    """Each request that changes something, in order."""
    apply(released(1))
    seldon_cluster.calls.clear()
    apply(released(2))
    new, old = (model_name(ENDPOINT, released(number)) for number in (2, 1))
    assert seldon_cluster.writes() == [
        ("create", "models", new),
        ("update", "experiments", EXPERIMENT),
        ("delete", "models", old),
    ]


def test_a_changed_weight_writes_the_experiment_alone(seldon_cluster, apply, released):
    """The Models of a canary are not touched as its share grows."""
    apply(released(1, 0.95), released(2, 0.05))
    seldon_cluster.calls.clear()
    apply(released(1, 0.75), released(2, 0.25))
    assert seldon_cluster.writes() == [("update", "experiments", EXPERIMENT)]


def test_what_others_write_meanwhile_is_no_failure(seldon_cluster, apply, released):
    """A conflict is looked at again; who is overtaken again and again says so."""
    apply(released(1))
    seldon_cluster.meddles = 2
    apply(released(1, 0.5), released(2, 0.5))
    (experiment,) = seldon_cluster.of("Experiment").values()
    assert experiment["metadata"]["annotations"]["else"] == "0"
    seldon_cluster.meddles = 1000
    with pytest.raises(Conflict, match="somebody else writes it at the same time"):
        apply(released(1, 0.4), released(2, 0.6))


def test_what_others_set_stays(seldon_cluster, apply, released):
    """Finalizers, another's annotations, and the replicas that a scaler chose."""
    apply(released(1))
    name = model_name(ENDPOINT, released(1))
    until(
        lambda: seldon_cluster.of("Model")[name]["metadata"].get("finalizers"),
        "the operator sets no finalizer",
    )
    seldon_cluster.scale(name, 3)
    seldon_cluster.calls.clear()
    apply(released(1))
    assert seldon_cluster.writes() == []
    found = seldon_cluster.of("Model")[name]
    assert found["spec"]["replicas"] == 3
    assert found["metadata"]["finalizers"] == ["seldon.model.finalizer"]


def test_what_another_made_is_left_alone(seldon_cluster, apply, released):
    """An Experiment of the same name that Interlock did not make is a conflict, and untouched."""
    body = {
        "apiVersion": "mlops.seldon.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {"name": EXPERIMENT},
        "spec": {"candidates": [{"name": "theirs", "weight": 100}]},
    }
    token = "token-of-the-tests"
    path = "/apis/mlops.seldon.io/v1alpha1/namespaces/seldon-mesh/experiments"
    seldon_cluster.answer("post", path, token, body, {})
    with pytest.raises(Conflict, match="was not made by Interlock"):
        apply(released(1))
    assert seldon_cluster.of("Experiment")[EXPERIMENT]["spec"] == body["spec"]
    assert seldon_cluster.of("Model") == {}


def test_who_goes_back_while_another_settles_keeps_the_model(
    seldon_cluster, core_v2, apply, released
):
    """What was unused at a switch, and is used again before its end comes, stays."""
    apply(released(1))
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the first release is never served")
    slow = core_v2(settle_seconds=3.0)
    forth = threading.Thread(target=apply, args=(released(2),), kwargs={"plugin": slow})

    def now():
        (experiment,) = seldon_cluster.of("Experiment").values()
        return experiment["spec"]["candidates"][0]["name"]

    with asked_all_the_while(seldon_cluster, EXPERIMENT) as failed:
        forth.start()
        until(lambda: now() == model_name(ENDPOINT, released(2)), "there is no switch")
        apply(released(1), plugin=slow)
        forth.join()
        until_models(seldon_cluster, "release-1")
    assert not failed


def test_who_deploys_the_same_at_the_same_time_shares_an_upload(
    seldon_cluster, core_v2, apply, released, tmp_path, monkeypatch
):
    """Each has uploaded it before there is a Model: one upload is read, and the other goes."""
    target, met, upload = released(1), threading.Barrier(2), applying.store

    def together(*asked):
        stored = upload(*asked)
        met.wait(60)
        return stored

    monkeypatch.setattr(applying, "store", together)
    seldon_cluster.slow = 1.0
    plugin = core_v2(ready_seconds=15.0)
    with ThreadPoolExecutor(2) as pool:
        first, second = [pool.submit(apply, target, plugin=plugin) for _ in range(2)]
        assert first.result() == second.result()
    (model,) = seldon_cluster.of("Model").values()
    (left,) = [path for path in (tmp_path / "store").iterdir() if path.is_dir()]
    assert model["spec"]["storageUri"].endswith(left.name)


def test_a_removed_endpoint_leaves_its_neighbour(seldon_cluster, core_v2, apply, released):
    """Its objects go, to the last; those of another endpoint, and another's own, stay."""
    other = attrs.evolve(ENDPOINT, name="other")
    plugin = core_v2(pipeline=True)
    made = apply(released(1), plugin=plugin)
    apply(released(1), plugin=plugin, endpoint=other)
    plugin.remove_endpoint(deployment=made)
    assert list(seldon_cluster.of("Experiment")) == [endpoint_name(other)]
    assert len(seldon_cluster.of("Model")) == len(seldon_cluster.of("Pipeline")) == 1
    plugin.remove_endpoint(deployment=made)
    status = plugin.endpoint_status(deployment=made)
    assert (status.live, status.ready, status.serving) == (False, False, ())
    assert "has no Experiment" in status.detail


def test_manifests_go_to_a_folder_instead(core_v2, ws, released, tmp_path):
    """Without a cluster nothing is claimed: the files are named, and no deployment comes back."""
    plugin = SeldonServer(
        target="core-v2", storage="store", render_to=tmp_path / "gitops", root=tmp_path
    )
    targets = (released(1, 0.9), released(2, 0.1))
    with pytest.raises(Unavailable, match=f"the manifests are in {tmp_path}/gitops/{EXPERIMENT}"):
        plugin.apply_endpoint(endpoint=ENDPOINT, id="d", targets=targets, ws=ws)
    files = sorted(path.name.partition("-")[0] for path in (tmp_path / "gitops").rglob("*.yaml"))
    assert files == ["experiment", "model", "model"]


def test_a_folder_that_somebody_applies_is_waited_for(
    seldon_cluster, core_v2, apply, released, tmp_path
):
    """Argo CD or Flux in the middle: what the cluster says is believed, and old files go last."""
    import yaml

    folder = tmp_path / "gitops"
    plugin = core_v2(render_to=folder)
    with pytest.raises(Unavailable, match="not yet in the cluster: after 0 s not ready: Model"):
        apply(released(1), plugin=attrs.evolve(plugin, ready_seconds=0.0))
    assert seldon_cluster.objects == {}

    ending = threading.Event()
    hand = core_v2()

    def sync():
        from interlock_deploy_seldon.core_v2.cluster import Cluster

        with Cluster(hand.core_v2()) as cluster:
            while not ending.wait(0.02):
                for path in folder.rglob("*.yaml"):
                    with contextlib.suppress(FileNotFoundError):
                        cluster.put(yaml.safe_load(path.read_text()))

    syncing = threading.Thread(target=sync)
    syncing.start()
    try:
        made = apply(released(1), plugin=plugin)
        assert plugin.endpoint_status(deployment=made).ready
        apply(released(2), plugin=plugin)
    finally:
        ending.set()
        syncing.join()
    written = [yaml.safe_load(path.read_text()) for path in sorted(folder.rglob("*.yaml"))]
    assert [each["kind"] for each in written] == ["Experiment", "Model"]
    assert written[1]["metadata"]["annotations"]["interlock/release"] == "release-2"
    plugin.remove_endpoint(deployment=made)
    assert list(folder.rglob("*.yaml")) == []
