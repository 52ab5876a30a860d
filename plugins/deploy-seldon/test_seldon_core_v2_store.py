"""Where the models of a cluster lie: a store that the cluster reads, written before it is told."""

import json
import shutil

import pytest

from interlock_hookspecs import InvalidInput, Unavailable

pytestmark = pytest.mark.stand_in


def test_the_store_has_what_the_model_says(core_v2, seldon_cluster, apply, released, tmp_path):
    """The folder of a Model is Triton's repository; what is of another size or gone is put anew."""
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
    # Somebody tidied up, in either order.
    for gone in (stored, tmp_path / "store" / f"{folder}.json"):
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
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
    """A store that speaks S3 has the folder, whole, and lets it go; keys are of the environment."""
    for name, value in s3_server.environ.items():
        monkeypatch.setenv(name, value)
    apply(released(1), plugin=core_v2(storage="s3://models/seldon-core-v2"))
    (model,) = seldon_cluster.of("Model").values()
    folder = model["spec"]["storageUri"].removeprefix("s3://")
    found = s3_server.objects("seldon-core-v2")
    assert found == [f"{folder}.json", f"{folder}/1/model.onnx", f"{folder}/config.pbtxt"]
    apply(released(2), plugin=core_v2(storage="s3://models/seldon-core-v2"))
    (model,) = seldon_cluster.of("Model").values()
    folder = model["spec"]["storageUri"].removeprefix("s3://")
    found = s3_server.objects("seldon-core-v2")
    assert found == [f"{folder}.json", f"{folder}/1/model.onnx", f"{folder}/config.pbtxt"]
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(Unavailable, match="the store answered with PermissionError") as caught:
        apply(released(3), plugin=core_v2(storage="s3://models/seldon-core-v2"))
    assert "wrong" not in str(caught.value)
