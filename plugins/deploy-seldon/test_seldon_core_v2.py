"""The target core-v2 on a cluster: the official client against a stand-in of the Kubernetes API.

The stand-in holds each request to the published fields and answers as an API server does; a
controller of its own sets conditions, in its own time, and a mesh routes by them.
"""

import contextlib
import datetime as dt
import ipaddress
import json
import multiprocessing
import ssl
import threading
import time

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from seldon_cluster import SeldonCluster

from interlock_deploy_seldon import SeldonServer
from interlock_deploy_seldon.core_v2.conformance import onnx_model
from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_hookspecs import Conflict, InvalidInput, NotFound, Unavailable
from interlock_hookspecs.conformance.released import ENDPOINT, target_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace

pytestmark = pytest.mark.stand_in
EXPERIMENT = endpoint_name(ENDPOINT)
PATIENCE = 60.0


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace")


@pytest.fixture
def released(ws):
    """Make a target of a release's own model."""

    def make(number, weight=1.0, *, mirror=False):
        model = onnx_model(str(number), ws)
        return target_of(number, weight=weight, mirror=mirror, model=model)

    return make


@pytest.fixture
def apply(core_v2, ws):
    """Ask the plugin for targets."""

    def ask(*targets, plugin=None, endpoint=ENDPOINT):
        made = plugin or core_v2()
        return made.apply_endpoint(endpoint=endpoint, id="deployment-1", targets=targets, ws=ws)

    return ask


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def models(cluster):
    """The releases that have a Model."""
    return sorted(
        each["metadata"]["annotations"]["interlock/release"]
        for each in cluster.of("Model").values()
    )


def until_models(cluster, *releases):
    """Wait until these have Models, and no other: an object that is deleted takes a moment."""
    until(lambda: models(cluster) == sorted(releases), f"other Models than {releases} stay")


@contextlib.contextmanager
def asked_all_the_while(cluster):
    """A client that asks on; gives the times at which it was not answered."""
    failed, ending = [], threading.Event()

    def ask():
        while not ending.wait(0.002):
            if not cluster.answers(EXPERIMENT):
                failed.append(time.monotonic())

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield failed
    finally:
        ending.set()
        client.join()


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
    with asked_all_the_while(seldon_cluster) as failed:
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
    with asked_all_the_while(seldon_cluster) as failed:
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


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"slow": 1e9}, r"1 s not ready: Model release-2-\w+ \(ModelReady: ModelProgressing\)"),
        ({"silent": True}, r"1 s not ready: Model release-2-\w+ \(it has no conditions yet\)"),
        (
            {"fails": lambda found: found["metadata"]["name"].startswith("release-2")},
            r"Model release-2-\w+ has failed: ModelReady: ModelFailed rpc error: the model does",
        ),
    ],
    ids=["slow", "silent", "fails"],
)
def test_a_model_that_is_never_ready_changes_nothing(
    seldon_cluster, core_v2, apply, released, wrong, told
):
    """It is told what it waits for; the endpoint serves on, and the new Model goes."""
    plugin = core_v2(ready_seconds=PATIENCE if "fails" in wrong else 1.0)
    made = apply(released(1))
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the first release is never served")
    before = seldon_cluster.of("Experiment")[EXPERIMENT]["spec"]
    for name, value in wrong.items():
        setattr(seldon_cluster, name, value)
    with asked_all_the_while(seldon_cluster) as failed, pytest.raises(Unavailable, match=told):
        apply(released(1, 0.5), released(2, 0.5), plugin=plugin)
    assert not failed
    assert seldon_cluster.of("Experiment")[EXPERIMENT]["spec"] == before
    until_models(seldon_cluster, "release-1")
    assert plugin.endpoint_status(deployment=made).ready


def test_an_experiment_that_is_never_ready_goes_back(seldon_cluster, core_v2, apply, released):
    """Where the switch itself is refused by the scheduler, the split of before is put back."""
    apply(released(1))
    seldon_cluster.refuses_experiments = True
    with pytest.raises(Unavailable, match="not ready: Experiment"):
        apply(released(2), plugin=core_v2(ready_seconds=5.0))
    (left,) = seldon_cluster.of("Experiment").values()
    assert [each["name"] for each in left["spec"]["candidates"]] == [
        model_name(ENDPOINT, released(1))
    ]
    until_models(seldon_cluster, "release-1")


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


def broken(cluster, how, core_v2, tmp_path):
    """The plugin for a cluster that is away, or does not let us."""
    if how == "token":
        return core_v2(kubeconfig=cluster.kubeconfig(tmp_path / "other", token="wrong"))
    if how == "forbidden":
        cluster.forbidden.add(("create", "models"))
    if how == "uninstalled":
        cluster.installed = False
    if how == "gone":
        cluster.stop()
    return core_v2(namespace="nowhere") if how == "namespace" else core_v2()


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ("token", Unavailable, "the cluster does not let us .*Unauthorized.*are needed"),
        ("forbidden", Unavailable, 'models.mlops.seldon.io is forbidden: User "us" cannot create'),
        ("uninstalled", Unavailable, "Seldon Core v2 is not installed"),
        ("gone", Unavailable, "the API server of the cluster does not answer"),
        ("namespace", NotFound, 'namespaces "nowhere" not found'),
    ],
)
def test_a_cluster_that_is_away_or_closed_is_told_in_a_sentence(
    seldon_cluster, core_v2, apply, released, tmp_path, how, kind, told
):
    """What is wrong, and what is needed; never a token. Its status says the same."""
    made = apply(released(1))
    plugin = broken(seldon_cluster, how, core_v2, tmp_path)
    with pytest.raises(kind, match=told) as caught:
        apply(released(2), plugin=plugin)
    assert "token-of-the-tests" not in str(caught.value)
    if how in ("token", "uninstalled", "gone"):
        status = plugin.endpoint_status(deployment=made)
        assert not status.live
        assert status.detail


def test_a_cluster_that_comes_back_is_used_again(seldon_cluster, apply, released):
    """Away is no state of ours: the next call asks again."""
    apply(released(1))
    seldon_cluster.stop()
    with pytest.raises(Unavailable):
        apply(released(2))
    seldon_cluster.start()
    apply(released(2))
    until_models(seldon_cluster, "release-2")


def test_who_is_killed_in_the_middle_is_gone_on_with(seldon_cluster, core_v2, ws, apply, released):
    """With new Models made and none ready the process is killed; asked again, it comes to be."""
    apply(released(1))
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the first release is never served")
    seldon_cluster.slow = 1e9
    targets = (released(1, 0.5), released(2, 0.5))
    words = {"endpoint": ENDPOINT, "id": "deployment-1", "targets": targets, "ws": ws}
    child = multiprocessing.get_context("fork").Process(
        target=core_v2().apply_endpoint, kwargs=words
    )
    with asked_all_the_while(seldon_cluster) as failed:
        child.start()
        until(lambda: "release-2" in models(seldon_cluster), "no Model is made")
        child.kill()
        child.join()
        assert models(seldon_cluster) == ["release-1", "release-2"]
        seldon_cluster.hurry()
        apply(*targets)
        assert models(seldon_cluster) == ["release-1", "release-2"]
        # Or it is given up: what was made is not used, and goes.
        apply(released(1))
        until_models(seldon_cluster, "release-1")
    assert not failed


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

    with asked_all_the_while(seldon_cluster) as failed:
        forth.start()
        until(lambda: now() == model_name(ENDPOINT, released(2)), "there is no switch")
        apply(released(1), plugin=slow)
        forth.join()
        until_models(seldon_cluster, "release-1")
    assert not failed


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


def test_a_model_that_is_lost_later_is_a_status(seldon_cluster, core_v2, apply, released):
    """Live while another candidate answers, not ready, and the reason is told."""
    made = apply(released(1, 0.5), released(2, 0.5))
    seldon_cluster.fails = lambda found: found["metadata"]["name"].startswith("release-2")
    plugin = core_v2()
    until(lambda: not plugin.endpoint_status(deployment=made).ready, "nothing is told of it")
    status = plugin.endpoint_status(deployment=made)
    assert status.live
    assert "release-2" in status.detail
    assert "the model does not load" in status.detail


def test_over_tls_with_an_authority_of_its_own(tmp_path, core_v2, apply, released):
    """As clusters are: a certificate that the kubeconfig's authority signed, and none other."""
    raw, context = certificate(tmp_path)
    cluster = SeldonCluster(tls=context)
    try:
        trusted = cluster.kubeconfig(tmp_path / "trusted", ca=raw)
        apply(released(1), plugin=core_v2(kubeconfig=trusted))
        assert models(cluster) == ["release-1"]
        strange = cluster.kubeconfig(tmp_path / "strange", ca=certificate(tmp_path)[0])
        with pytest.raises(Unavailable, match="does not answer"):
            apply(released(2), plugin=core_v2(kubeconfig=strange))
    finally:
        cluster.stop()


def certificate(folder):
    """A certificate of loopback, signed by itself, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    raw = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(raw + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return raw, context


def test_without_a_cluster_it_says_how_one_is_named(tmp_path, ws, released):
    """Neither a kubeconfig nor a pod around it; a kubeconfig that is none, or is not there."""
    bare = SeldonServer(target="core-v2", storage=str(tmp_path / "store"), root=tmp_path)
    (tmp_path / "empty").write_text("{}")
    context = {"kubeconfig": tmp_path / "empty", "context": "production"}
    for plugin in (
        bare,
        attrs.evolve(bare, kubeconfig=tmp_path / "gone"),
        attrs.evolve(bare, **context),
    ):
        with pytest.raises(InvalidInput, match=r"the cluster is not known \((no )?kubeconfig"):
            plugin.apply_endpoint(endpoint=ENDPOINT, id="d", targets=(released(1),), ws=ws)
    assert not (tmp_path / "store").exists()


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


def test_what_is_counted_is_read_from_prometheus(
    seldon_cluster, prometheus, core_v2, apply, released
):
    """Answers, refusals and failures by their codes; a mirror apart; no latencies."""
    plugin = core_v2(prometheus=prometheus.url)
    targets = (released(1, 2 / 3), released(2, 1 / 3), released(3, 0.0, mirror=True))
    made = apply(*targets, plugin=plugin)
    one, two, three = (model_name(ENDPOINT, each) for each in targets)
    first, *_ = plugin.read_traffic(deployment=made)
    assert (first.requests, first.weight) == (0, 2 / 3)
    prometheus.counts |= {(one, "200"): 7, (one, "422"): 2, (one, "500"): 1, (one, "404"): 1}
    prometheus.counts |= {(two, "OK"): 3, (two, "InvalidArgument"): 1, (two, "Unavailable"): 2}
    prometheus.counts |= {(three, "500"): 5, ("another", "200"): 1000}
    first, second, mirror = plugin.read_traffic(deployment=made)
    assert (first.requests, first.answered, first.refused, first.failed) == (11, 7, 2, 2)
    assert (second.requests, second.answered, second.refused, second.failed) == (6, 3, 1, 2)
    assert (mirror.mirror, mirror.weight, mirror.failed) == (True, 0.0, 5)
    assert [each.release for each in (first, second, mirror)] == [
        each.release.id for each in targets
    ]
    assert first.latencies == ()
    assert first.latency(0.99) is None
    assert second.weight == pytest.approx(1 / 3)


def test_an_agent_that_was_started_again_begins_another_count(prometheus, core_v2, apply, released):
    """Since when it is counted is told: counts of before are not held against those of after."""
    plugin = core_v2(prometheus=prometheus.url)
    made = apply(released(1), plugin=plugin)
    name = model_name(ENDPOINT, released(1))
    prometheus.counts[name, "200"] = 9
    (before,) = plugin.read_traffic(deployment=made)
    prometheus.started[name] = before.since.timestamp() - 1000
    assert plugin.read_traffic(deployment=made)[0].since == before.since
    prometheus.started[name] = before.since.timestamp() + 100
    prometheus.counts[name, "200"] = 12
    (after,) = plugin.read_traffic(deployment=made)
    assert after.since > before.since
    assert after.minus(before).requests == 12


def test_a_split_that_somebody_else_changed_is_told_as_it_is(
    seldon_cluster, prometheus, core_v2, apply, released
):
    """Weights as asked where the cluster has them; its own where it has others."""
    plugin = core_v2(prometheus=prometheus.url)
    made = apply(released(1, 0.95), released(2, 0.05), plugin=plugin)
    assert [each.weight for each in plugin.read_traffic(deployment=made)] == [0.95, 0.05]
    candidates = seldon_cluster.objects["Experiment", EXPERIMENT]["spec"]["candidates"]
    candidates[0]["weight"], candidates[1]["weight"] = 60, 40
    assert [each.weight for each in plugin.read_traffic(deployment=made)] == [0.6, 0.4]


@pytest.mark.parametrize(
    "answer",
    [
        (503, b"{}"),
        (200, b"<html>"),
        (200, b'{"status": "error", "data": {"resultType": "vector", "result": []}}'),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}}'),
        (200, b'{"status": "success", "data": {"resultType": "vector", "result": [{}]}}'),
        (200, b"[]"),
    ],
    ids=["503", "page", "error", "scalar", "half", "list"],
)
def test_a_prometheus_that_does_not_tell_is_unavailable(
    prometheus, core_v2, apply, released, answer
):
    """Whatever it answers instead of a vector; and where it is gone."""
    plugin = core_v2(prometheus=prometheus.url)
    made = apply(released(1), plugin=plugin)
    prometheus.broken = answer
    with pytest.raises(Unavailable, match="Prometheus"):
        plugin.read_traffic(deployment=made)
    prometheus.stop()
    with pytest.raises(Unavailable, match="Prometheus does not answer"):
        plugin.read_traffic(deployment=made)


def test_the_store_has_what_the_model_says(core_v2, seldon_cluster, apply, released, tmp_path):
    """The folder of a Model is Triton's repository; a file of another size is written anew."""
    made = released(1)
    apply(made, plugin=core_v2(storage_uri="minio://models/seldon"))
    (model,) = seldon_cluster.of("Model").values()
    prefix, _, folder = model["spec"]["storageUri"].rpartition("/")
    assert prefix == "minio://models/seldon"
    assert model["spec"]["requirements"] == ["onnx"]
    stored = tmp_path / "store" / folder
    files = {path.relative_to(stored).as_posix() for path in stored.rglob("*") if path.is_file()}
    assert files == {"1/model.onnx", "config.pbtxt"}
    whole = (stored / "1/model.onnx").read_bytes()
    listing = json.loads((tmp_path / "store" / f"{folder}.json").read_text())
    assert listing.keys() == files
    (stored / "1/model.onnx").write_bytes(whole[:10])
    apply(made, plugin=core_v2(storage_uri="minio://models/seldon"))
    assert (stored / "1/model.onnx").read_bytes() == whole


@pytest.mark.parametrize(
    ("storage", "kind", "told"),
    [
        ("", InvalidInput, "say where, for example storage ="),
        ("nothing://models", InvalidInput, "storage: Protocol not known: nothing"),
        ("file", Unavailable, "was not stored: the store answered with"),
    ],
)
def test_a_store_that_cannot_be_written_changes_nothing(
    seldon_cluster, core_v2, apply, released, tmp_path, storage, kind, told
):
    """No store, none that is known, one that refuses: before the cluster is told anything."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(kind, match=told):
        apply(released(1), plugin=core_v2(storage=storage))
    assert seldon_cluster.objects == {}


@pytest.mark.real_backend
def test_models_go_to_a_bucket(s3_server, monkeypatch, core_v2, seldon_cluster, apply, released):
    """A store that speaks S3 has the folder, whole; its keys are of the environment."""
    for name, value in s3_server.environ.items():
        monkeypatch.setenv(name, value)
    apply(released(1), plugin=core_v2(storage="s3://models/seldon-core-v2"))
    (model,) = seldon_cluster.of("Model").values()
    folder = model["spec"]["storageUri"].removeprefix("s3://")
    found = s3_server.objects("seldon-core-v2")
    assert found == [f"{folder}.json", f"{folder}/1/model.onnx", f"{folder}/config.pbtxt"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(Unavailable, match="the store answered with PermissionError") as caught:
        apply(released(2), plugin=core_v2(storage="s3://models/seldon-core-v2"))
    assert "wrong" not in str(caught.value)
