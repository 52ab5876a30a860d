"""What is rendered for the steps of a rollout, and what is refused before anything is sent."""

import importlib.util
import json
import re
from pathlib import Path

import attrs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from seldon_kinds import FIELDS

from interlock_deploy_seldon.core_v2.conformance import onnx_model
from interlock_deploy_seldon.core_v2.folder import as_text
from interlock_deploy_seldon.core_v2.formats import layout
from interlock_deploy_seldon.core_v2.manifests import Stored, render
from interlock_deploy_seldon.core_v2.names import endpoint_name, model_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_deploy_seldon.core_v2.schema import checked, problems, schema
from interlock_deploy_seldon.core_v2.weights import apportion
from interlock_hookspecs import Endpoint, InvalidInput, Unsupported
from interlock_hookspecs.conformance.released import ENDPOINT, target_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace

README = Path(__file__).with_name("README.md")
OPTIONS = CoreV2(storage="s3://models/seldon", memory="200Mi")
DRAWN = "5f0c2a9b7d31"
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def split(*weights, mirror=False):
    """Releases 1, 2, ... with these shares, and a mirror after them."""
    targets = [target_of(place, weight=weight) for place, weight in enumerate(weights, start=1)]
    if mirror:
        targets.append(target_of(len(weights) + 1, weight=0.0, mirror=True))
    return targets


def rendered(targets, options=OPTIONS, endpoint=ENDPOINT):
    names = [model_name(endpoint, each) for each in targets]
    stored = {
        name: Stored(uri=f"s3://models/seldon/{name}-{DRAWN}", requirement="onnx") for name in names
    }
    return render(endpoint, targets, stored, options)


STEPS = {
    "all at once": (split(1.0), [100], None),
    "a canary of 5 %": (split(0.95, 0.05), [95, 5], None),
    "a canary of half": (split(0.5, 0.5), [50, 50], None),
    "blue-green: the new one has all, the old one stands by": (split(1.0, 0.0), [100, 0], None),
    "a shadow": (split(1.0, mirror=True), [100], 100),
    "champion and two challengers": (split(1 / 3, 1 / 3, 1 / 3), [3334, 3333, 3333], None),
    "a canary of a thousandth": (split(0.999, 0.001), [9990, 10], None),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("pipeline", [False, True])
def test_every_step_of_a_rollout_is_rendered(step, pipeline):
    """A Model a release, one Experiment with whole-number weights; both keep to the schema."""
    targets, weights, percent = STEPS[step]
    found = rendered(targets, attrs.evolve(OPTIONS, pipeline=pipeline))
    assert len(found.models) == len(targets)
    spec = found.experiment["spec"]
    assert [each["weight"] for each in spec["candidates"]] == weights
    assert spec.get("mirror", {}).get("percent") == percent
    assert "default" not in spec
    behind = found.pipelines if pipeline else found.models
    mirror = [spec["mirror"]["name"]] if percent else []
    named = [each["name"] for each in spec["candidates"]] + mirror
    assert named == [each["metadata"]["name"] for each in behind]
    for pipe, model in zip(found.pipelines, found.models, strict=False):
        assert pipe["spec"]["steps"][0]["name"] == model["metadata"]["name"]
        assert pipe["metadata"]["name"] != model["metadata"]["name"]
    assert [problems(each) for each in found.all] == [[]] * len(found.all)


def test_the_name_that_clients_call_stays():
    """Whatever is behind an endpoint, its Experiment has one name, and each Model its own."""
    names = {rendered(targets).experiment["metadata"]["name"] for targets, _, _ in STEPS.values()}
    assert names == {endpoint_name(ENDPOINT)}
    alone, with_another = rendered(split(1.0)), rendered(split(0.5, 0.5))
    assert alone.models[0] == with_another.models[0]


def test_a_model_says_of_whom_it_is():
    """Release, project, stack, endpoint, digest and threshold are on each."""
    (model,) = rendered([target_of(7)]).models
    said = model["metadata"]["annotations"]
    assert said["interlock/release"] == "release-7"
    assert said["interlock/digest"] == target_of(7).model.digest
    assert said["interlock/threshold"] == "0.5"
    ours = (said["interlock/project"], said["interlock/stack"], said["interlock/endpoint-name"])
    assert ours == ("labour", "dev", "employment")


def test_settings_reach_the_model():
    """Server, memory, replicas, secret; what is not set is left to the cluster."""
    options = attrs.evolve(OPTIONS, on_server="triton", replicas=2, storage_secret="s3-keys")
    assert rendered(split(1.0), options).models[0]["spec"] == {
        "storageUri": f"s3://models/seldon/{model_name(ENDPOINT, split(1.0)[0])}-{DRAWN}",
        "requirements": ["onnx"],
        "secretName": "s3-keys",
        "server": "triton",
        "memory": "200Mi",
        "replicas": 2,
    }
    bare = rendered(split(1.0), CoreV2()).models[0]["spec"]
    assert set(bare) == {"storageUri", "requirements"}


@pytest.mark.parametrize(
    ("targets", "kind", "told"),
    [
        ((), InvalidInput, "it was given none"),
        (split(0.5, 0.4), InvalidInput, "add up to 1, not 0.5, 0.4"),
        (split(1.5, -0.5), InvalidInput, "add up to 1, not 1.5, -0.5"),
        (split(0.99999, 0.00001), Unsupported, "a share of 1e-05 .* 0.0001 is the least"),
        ([target_of(1, weight=0.0, mirror=True)], InvalidInput, "it was given none"),
        ([*split(1.0), *(target_of(n, mirror=True) for n in (2, 3))], Unsupported, "one mirror at"),
        ([*split(0.5), *split(0.5)], Unsupported, "release-1 is there twice"),
    ],
)
def test_what_an_experiment_cannot_have_is_refused_in_a_sentence(targets, kind, told):
    """Shares, mirrors and releases that Seldon Core has no way to serve."""
    with pytest.raises(kind, match=told):
        rendered(targets)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any))
def test_shares_are_apportioned_whole(parts):
    """They add up to the whole; none is off by a unit or more; what has a share gets one."""
    weights = [part / sum(parts) for part in parts]
    try:
        found = apportion(weights)
    except Unsupported:
        assert any(0 < weight < 1e-4 for weight in weights)
        return
    assert sum(found) in (100, 10_000)
    for share, weight in zip(found, weights, strict=True):
        assert abs(share - weight * sum(found)) < 1 + 1e-6
        assert (share == 0) == (weight == 0)


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_any_name_becomes_a_safe_one_of_its_own(one, other):
    """A DNS label of at most 63 characters; names that differ stay apart, however they look."""
    endpoints = [attrs.evolve(ENDPOINT, name=name) for name in (one, other)]
    names = [endpoint_name(each) for each in endpoints]
    assert all(LABEL.fullmatch(name) and len(name) <= 63 for name in names)
    assert (names[0] == names[1]) == (one == other)


def test_names_that_look_alike_are_apart():
    """Case, punctuation, and what lies beyond the bound are told apart by their digests."""
    alike = ["a b", "a-b", "A-B", "a.b", "a--b", "ä b", "a b" + " " * 50, "é", "è", "1", "-"]
    names = [endpoint_name(attrs.evolve(ENDPOINT, name=name)) for name in alike]
    assert len(set(names)) == len(alike)
    assert names[0].startswith("a-b-")
    swapped = Endpoint(name="dev", project="labour", stack="employment")
    assert endpoint_name(swapped) != endpoint_name(ENDPOINT)
    one, other = target_of(1), target_of(1, model=target_of(2).model)
    assert model_name(ENDPOINT, one) != model_name(ENDPOINT, other)
    longest = attrs.evolve(one, release=attrs.evolve(one.release, id="release-" + "0" * 32))
    pipe = rendered([longest], attrs.evolve(OPTIONS, pipeline=True)).pipelines[0]
    assert len(pipe["metadata"]["name"]) <= 63


@pytest.mark.schema
def test_the_schema_knows_no_field_that_seldon_does_not_publish():
    """Each field of the schema is one of the published types, with the same fields required."""

    def compare(ours, published, at):
        while "$ref" in ours:
            ours = schema()["$defs"][ours["$ref"].rpartition("/")[2]]
        if isinstance(published, dict):
            names = {key.rstrip("!") for key in published}
            assert ours["additionalProperties"] is False, at
            assert ours["properties"].keys() <= names, at
            needed = {key[:-1] for key in published if key.endswith("!")}
            assert needed <= set(ours.get("required", ())), at
            fields = {key.rstrip("!"): each for key, each in published.items()}
            for name, part in ours["properties"].items():
                compare(part, fields[name], f"{at}.{name}")
        elif isinstance(published, list):
            assert ours["type"] == "array", at
            compare(ours["items"], published[0], f"{at}[]")

    for kind, published in FIELDS.items():
        compare(schema()["$defs"][kind]["properties"]["spec"], published, kind)


@pytest.mark.schema
@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("spec", "storageURI"), "s3://x", "'storageURI' was unexpected"),
        (("metadata", "generateName"), "x", "'generateName' was unexpected"),
        (("status",), {}, "'status' was unexpected"),
        (("spec", "replicas"), -1, "-1 is less than the minimum"),
        (("spec", "memory"), "lots", "'lots' does not match"),
        (("spec", "requirements"), "onnx", "'onnx' is not of type 'array'"),
        (("metadata", "name"), "Zürich", "'Zürich' does not match"),
        (("metadata", "name"), "a" * 64, "is too long"),
        (("metadata", "labels"), {"interlock/endpoint": "a b"}, "'a b' does not match"),
        (("kind",), "Server", "'Server' is none of Model, Experiment and Pipeline"),
        (("apiVersion",), "mlops.seldon.io/v1", "was expected"),
    ],
)
def test_a_manifest_that_breaks_the_schema_is_not_sent(path, value, told):
    """An unknown field, a wrong type or a wrong name is refused, with its place."""
    model = json.loads(json.dumps(rendered(split(1.0)).models[0]))
    place = model
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidInput, match="is not sent") as caught:
        checked(model)
    assert told in str(caught.value)


def test_a_setting_that_no_cluster_takes_is_refused_before_it_is_asked():
    """A quantity or a namespace of no meaning, by the place that it would have."""
    for options in (attrs.evolve(OPTIONS, memory="lots"), attrs.evolve(OPTIONS, namespace="A B")):
        with pytest.raises(InvalidInput, match=r"is not sent: (spec.memory|metadata.namespace): "):
            rendered(split(1.0), options)


def triton_config():
    """An empty configuration of Triton's; its module is all of its client that is needed here."""
    (folder,) = importlib.util.find_spec("tritonclient").submodule_search_locations
    path = Path(folder) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ModelConfig()


@pytest.mark.schema
def test_triton_is_told_the_tensors_of_the_file(tmp_path):
    """The folder is a repository of Triton's; its configuration parses by Triton's own schema."""
    from google.protobuf import text_format

    ws = LocalWorkspace(tmp_path)
    model = onnx_model("one", ws)
    found = layout(model, ws.locate(model.artifact))
    assert found.requirement == "onnx"
    assert set(found.files) == {"config.pbtxt", "1/model.onnx"}
    config = text_format.Parse(found.files["config.pbtxt"].decode(), triton_config())
    assert (config.backend, config.max_batch_size) == ("onnxruntime", 0)
    tensors = [(each.name, list(each.dims)) for each in (*config.input, *config.output)]
    assert tensors == [("x", [-1, 1]), ("word", [-1, 1]), ("score", [-1, 1])]
    kinds = [each.data_type for each in (*config.input, *config.output)]
    assert kinds == [12, 13, 12]  # FP64, STRING, FP64


def test_a_format_that_no_server_loads_names_the_one_that_is(tmp_path):
    """skops is refused with what to write; a file of another format is not taken at its word."""
    ws = LocalWorkspace(tmp_path)
    model = onnx_model("one", ws)
    path = ws.locate(model.artifact)
    with pytest.raises(Unsupported, match='write package = "onnx" in the stack'):
        layout(attrs.evolve(model, format="skops"), path)
    other = tmp_path / "other.onnx"
    other.write_bytes(b"no model")
    with pytest.raises(InvalidInput, match="is no ONNX model"):
        layout(model, other)
    with pytest.raises(InvalidInput, match="has no file MLmodel"):
        layout(attrs.evolve(model, format="mlflow"), tmp_path)
    (tmp_path / "flavour").mkdir()
    (tmp_path / "flavour" / "MLmodel").write_text("flavors: {}\n")
    found = layout(attrs.evolve(model, format="mlflow"), tmp_path / "flavour")
    assert (found.requirement, list(found.files)) == ("mlflow", ["MLmodel"])


def test_the_manifests_of_the_readme_are_those_that_are_rendered():
    """The README shows the objects of a canary and of a shadow as they are sent."""
    shown = [
        list(yaml.safe_load_all(block))
        for block in re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    ]
    canary, shadow = rendered(split(0.95, 0.05)), rendered(split(1.0, mirror=True))
    assert shown == [[canary.models[1], canary.experiment], [shadow.experiment]], "\n---\n".join(
        map(as_text, (canary.models[1], canary.experiment, shadow.experiment))
    )
