"""The target core-v2 where a model, the cluster or who asks it fails: what serves, serves on."""

import datetime as dt
import ipaddress
import multiprocessing
import ssl

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from seldon_client import PATIENCE, asked_all_the_while, models, until, until_models
from seldon_cluster import SeldonCluster

from interlock_deploy_seldon import SeldonServer
from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_hookspecs import InvalidInput, NotFound, Unavailable
from interlock_hookspecs.conformance.released import ENDPOINT

pytestmark = pytest.mark.stand_in
EXPERIMENT = endpoint_name(ENDPOINT)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"slow": 1e9}, r"5 s not ready: Model release-2-\w+ \(ModelReady: ModelProgressing\)"),
        ({"silent": True}, r"5 s not ready: Model release-2-\w+ \(it has no conditions yet\)"),
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
    plugin = core_v2(ready_seconds=PATIENCE if "fails" in wrong else 5.0)
    made = apply(released(1))
    until(lambda: seldon_cluster.answers(EXPERIMENT), "the first release is never served")
    before = seldon_cluster.of("Experiment")[EXPERIMENT]["spec"]
    for name, value in wrong.items():
        setattr(seldon_cluster, name, value)
    with (
        asked_all_the_while(seldon_cluster, EXPERIMENT) as failed,
        pytest.raises(Unavailable, match=told),
    ):
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
    with asked_all_the_while(seldon_cluster, EXPERIMENT) as failed:
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
