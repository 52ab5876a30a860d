"""What was uploaded for a Model goes when the Model is gone, and nothing that anybody reads."""

import os
import re
import subprocess
from pathlib import Path

import attrs
import fsspec
import pytest
from seldon_client import until_models

from interlock_deploy_seldon.core_v2 import applying, ending
from interlock_deploy_seldon.core_v2.names import model_name
from interlock_hookspecs import Unavailable
from interlock_hookspecs.conformance.released import ENDPOINT

pytestmark = pytest.mark.stand_in
README = Path(__file__).with_name("README.md")


@pytest.fixture
def store(tmp_path):
    """The folder that the cluster reads."""
    return tmp_path / "store"


def lying(store):
    """What lies in the store: folders, each with its list."""
    names = {path.name for path in store.iterdir()}
    folders = {name for name in names if (store / name).is_dir()}
    assert names == folders | {f"{folder}.json" for folder in folders}
    return folders


def read(cluster):
    """The folders that Models name."""
    return {each["spec"]["storageUri"].rpartition("/")[2] for each in cluster.of("Model").values()}


def test_an_upload_goes_with_its_model_and_a_rollback_brings_another(
    seldon_cluster, apply, released, store
):
    """A canary keeps both, its end one; who goes back reads a new folder, which is whole."""
    apply(released(1))
    first = lying(store)
    apply(released(1, 0.9), released(2, 0.1))
    assert first < lying(store) == read(seldon_cluster)
    apply(released(1), released(2, 0.0, mirror=True))
    assert first < lying(store) == read(seldon_cluster)
    apply(released(2))
    until_models(seldon_cluster, "release-2")
    assert lying(store) == read(seldon_cluster)
    assert not first & lying(store)
    apply(released(1))
    until_models(seldon_cluster, "release-1")
    (again,) = lying(store)
    assert {again} == read(seldon_cluster) != first
    assert (store / again / "1" / "model.onnx").stat().st_size


def test_a_deployment_that_is_taken_back_leaves_no_upload(
    seldon_cluster, core_v2, apply, released, store
):
    """What was served before has its own still."""
    apply(released(1))
    before = lying(store)
    seldon_cluster.fails = lambda found: model_name(ENDPOINT, released(2)) in str(found)
    with pytest.raises(Unavailable):
        apply(released(2), plugin=core_v2(ready_seconds=1.0))
    assert lying(store) == before == read(seldon_cluster)


def test_endpoints_of_one_store_read_uploads_of_their_own(
    seldon_cluster, core_v2, apply, released, store
):
    """The same bytes for two: where one endpoint is removed, the other's stay."""
    other = attrs.evolve(ENDPOINT, name="other")
    made = apply(released(1))
    apply(released(1), endpoint=other)
    assert len(lying(store)) == 2
    core_v2().remove_endpoint(deployment=made)
    assert len(lying(store)) == 1
    assert lying(store) == read(seldon_cluster)


def test_a_model_that_does_not_go_keeps_its_upload(
    seldon_cluster, apply, released, store, monkeypatch
):
    """It may still read it; a rollback waits for its end, and has another."""
    apply(released(1))
    (first,) = lying(store)
    control = seldon_cluster._control_one

    def holding(kind, name, found):
        if not (kind == "Model" and found["metadata"].get("deletionTimestamp")):
            control(kind, name, found)

    monkeypatch.setattr(ending, "_TIDY_SECONDS", 0.5)
    monkeypatch.setattr(seldon_cluster, "_control_one", holding)
    apply(released(2))
    assert first in read(seldon_cluster) == lying(store)
    monkeypatch.setattr(seldon_cluster, "_control_one", control)
    apply(released(1))
    until_models(seldon_cluster, "release-1")
    (again,) = read(seldon_cluster)
    assert again != first
    assert again in lying(store)


def test_no_model_is_made_of_what_somebody_removes_meanwhile(
    seldon_cluster, apply, released, store, monkeypatch
):
    """Its Model went while this command was about to use it again; asked again it is uploaded."""
    apply(released(1))
    (first,) = lying(store)
    stored = applying.store

    def overtaken(*arguments):
        found = stored(*arguments)
        del seldon_cluster.objects["Model", model_name(ENDPOINT, released(1))]
        return found

    with monkeypatch.context() as patched:
        patched.setattr(applying, "store", overtaken)
        with pytest.raises(Unavailable, match="was deleted meanwhile"):
            apply(released(1))
    apply(released(1))
    (again,) = lying(store)
    assert {again} == read(seldon_cluster) != {first}


def test_uploads_of_a_version_before_stay(seldon_cluster, apply, released, store):
    """Their folders are of a content, whoever reads it: the Model goes on reading there."""
    apply(released(1))
    (drawn,) = lying(store)
    shared = "onnx-" + "0" * 24
    (store / drawn).rename(store / shared)
    (store / f"{drawn}.json").rename(store / f"{shared}.json")
    model = seldon_cluster.objects["Model", model_name(ENDPOINT, released(1))]
    model["spec"]["storageUri"] = f"{store}/{shared}"
    seldon_cluster.calls.clear()
    apply(released(1))
    assert seldon_cluster.writes() == []
    apply(released(2))
    assert shared in lying(store) - read(seldon_cluster)


def test_a_store_that_lets_nothing_go_fails_no_deployment(
    seldon_cluster, apply, released, store, monkeypatch, caplog
):
    """The log says which upload stays, and not what the store answered in its own words."""
    apply(released(1))
    (first,) = lying(store)

    def refuse(*_, **__):
        raise PermissionError("the key's name")

    monkeypatch.setattr(fsspec.get_filesystem_class("file"), "rm", refuse)
    apply(released(2))
    assert first in lying(store)
    (line,) = caplog.messages
    assert line == (
        f"an upload stays: {first} was not removed: the store answered with PermissionError"
    )


def test_the_readme_lists_what_no_model_reads(tmp_path):
    """An upload of a killed command is listed; what a Model reads, and what is not ours, is not."""
    written = README.read_text(encoding="utf-8")
    lists = re.search(r"^  ```sh\n(  kubectl .*?)^  ```", written, re.MULTILINE | re.DOTALL)
    drawn = [f"release-7-{'a' * 12}-{digit * 12}" for digit in "123"]
    said = {
        "kubectl": [f"s3://models/seldon/{drawn[1]}", "s3://elsewhere/iris"],
        "aws": [
            *(f"                           PRE {name}/" for name in [*drawn, "onnx-0123"]),
            f"2026-11-30 06:00:00        180 {drawn[0]}.json",
        ],
    }
    for name, lines in said.items():
        program = tmp_path / name
        program.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
        program.chmod(0o700)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", lists[1]],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [drawn[0], drawn[2]]
