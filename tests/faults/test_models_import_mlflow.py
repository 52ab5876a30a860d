"""A model that somebody registered in MLflow, without Interlock, comes in as any candidate does."""

from __future__ import annotations

import subprocess
import tomllib
import uuid
from pathlib import Path

import mlflow_server as servers
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.tree import DecisionTreeClassifier

from interlock_hookspecs import (
    InvalidInput,
    NotFound,
    Task,
    Unsupported,
)
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_model_onnx import OnnxModel
from interlock_model_skops import SkopsModel
from interlock_registry_mlflow import MlflowRegistry

pytestmark = [
    pytest.mark.real_backend,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),
]

SCRIPT = Path(servers.__file__).with_name("log_with_mlflow.py")
TASK = Task(dataset="rows.parquet", id="id", target="y", kind="binary", positive=1)
SETTINGS = """
[stack.dev.registry-mlflow]
uri = "{url}"
prefix = "{prefix}-"
timeout = 25.0
"""


def tree(rows):
    """The tree that the script fits, of the same columns in the same order."""
    matrix = np.column_stack([rows["z"].to_numpy(), rows["x"].to_numpy()])
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(matrix, rows["y"].to_numpy())


def scores(rows):
    matrix = np.column_stack([rows["z"].to_numpy(), rows["x"].to_numpy()])
    return tree(rows).predict_proba(matrix)[:, 1]


@pytest.fixture(scope="module")
def prefix(mlflow_server, rows, tmp_path_factory):
    """Models on the server, logged by a script in an environment without Interlock."""
    from skl2onnx import to_onnx

    folder, prefix = tmp_path_factory.mktemp("outside"), f"{uuid.uuid4().hex}-"
    pq.write_table(rows, folder / "rows.parquet")
    matrix = np.zeros((1, 2), np.float32)
    converted = to_onnx(tree(rows), matrix, options={"zipmap": False})
    (folder / "tree.onnx").write_bytes(converted.SerializeToString())
    words = [mlflow_server.url, prefix, folder / "rows.parquet", folder / "tree.onnx"]
    done = subprocess.run(
        [mlflow_server.python, SCRIPT, *words],
        env={**servers.environment(), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return prefix


@pytest.fixture
def ws(tmp_path):
    openers = {"skops": SkopsModel(), "onnx": OnnxModel()}
    return LocalWorkspace(tmp_path / "workspace", openers=openers)


@pytest.fixture
def bring(mlflow_server, prefix, rows, ws, tmp_path):
    """Bring a model of the server's, by the registry that a stack has."""

    def ask(source, *inputs, **settings):
        registry = MlflowRegistry(uri=mlflow_server.url, timeout=25.0, root=tmp_path, **settings)
        return registry.import_candidate(f"mlflow:{prefix}{source}", inputs, rows, TASK, ws)

    return ask


@pytest.mark.parametrize("word", ["skops", "onnx"])
def test_what_is_safe_to_open_comes_in_as_it_is(bring, rows, ws, word, prefix):
    """It answers as where it was made, and says whence it came: the version, not the alias."""
    candidate = bring(f"{word}@champion")
    assert (candidate.origin, candidate.model.format) == ("imported", word)
    facts = candidate.facts
    assert facts["source"] == f"mlflow:{prefix}{word}/1"
    assert facts["asked"] == f"mlflow:{prefix}{word}@champion"
    assert (facts["lineage"], facts["unpickled"]) == ("unknown", False)
    assert facts["mlflow.file"] == candidate.model.digest
    assert facts["mlflow.run"]
    found = ws.open_model(candidate.model).predict(rows)["score"].to_numpy()
    assert np.allclose(found, scores(rows), atol=1e-6)
    assert [field.name for field in candidate.model.signature.inputs] == ["z", "x"]


def test_a_pickle_is_opened_only_where_the_stack_names_it(bring, rows, ws, prefix):
    """By its name, its version or its digest; what comes in is a skops file of it, on record."""
    for settings in ({}, {"pickles": (f"{prefix}cloudpickle/2", f"{prefix}skops")}):
        with pytest.raises(Unsupported, match="is a cloudpickle: opening it would run") as caught:
            bring("cloudpickle/1", **settings)
        assert f'pickles = ["{prefix}cloudpickle/1"]' in str(caught.value)
    candidate = bring("cloudpickle/1", pickles=(f"{prefix}cloudpickle",))
    assert candidate.model.format == "skops"
    assert candidate.facts["unpickled"] is True
    found = ws.open_model(candidate.model).predict(rows)["score"].to_numpy()
    assert np.array_equal(found, scores(rows))
    again = bring("cloudpickle/1", pickles=(candidate.facts["mlflow.file"],))
    assert again.model.digest == candidate.model.digest


@pytest.mark.parametrize(
    ("source", "kind", "says"),
    [
        ("skops", InvalidInput, "write mlflow:NAME@ALIAS or mlflow:NAME/VERSION"),
        ("skops@", InvalidInput, "does not say which version"),
        ("skops/one", InvalidInput, "does not say which version"),
        ("skops@absent", NotFound, "has no .*skops@absent"),
        ("skops/2", NotFound, "has no .*skops/2"),
        ("oak@champion", NotFound, "has no .*oak@champion"),
        ("constant@champion", Unsupported, "its flavours are python_function"),
    ],
)
def test_what_cannot_be_brought_says_what_to_write(bring, source, kind, says):
    """A version that is not named or not there; a model of no format that is opened here."""
    with pytest.raises(kind, match=says):
        bring(source)


def test_other_inputs_are_refused(bring):
    """The file knows the columns that it was fitted to, and their order."""
    with pytest.raises(InvalidInput, match="fitted to the columns z, x"):
        bring("skops/1", "x", "z")
    assert bring("skops/1", "z", "x").model.format == "skops"
    with pytest.raises(InvalidInput, match="'q' is no feature of this task"):
        bring("onnx/1", "q")


@pytest.fixture
def mlflow_project(small, mlflow_server):
    """The small project, whose registry is the server."""
    small.edit('registry = "sql"', 'registry = "mlflow"')
    with (small.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(url=mlflow_server.url, prefix=uuid.uuid4().hex))
    return small


def test_it_has_every_gate_before_it_and_is_served(mlflow_project, prefix):
    """Validated, reviewed, registered, released; its card says whence it is, and no lineage."""
    said = mlflow_project("models", "import", f"mlflow:{prefix}skops@champion")
    assert "imported: its lineage is unknown here" in said.err
    assert (mlflow_project.run["status"], mlflow_project.endpoint["status"]) == ("done", "applied")
    _, card = mlflow_project("show", mlflow_project.run["id"], "--card").out.split()
    text = Path(card).read_text(encoding="utf-8")
    assert "imported: **its lineage is unknown**" in text
    assert f"mlflow:{prefix}skops/1" in text
    assert [row["number"] for row in mlflow_project.listed("models")] == ["1"]
    settings = tomllib.loads((mlflow_project.folder / "interlock.toml").read_text("utf-8"))
    backend = MlflowRegistry(**settings["stack"]["dev"]["registry-mlflow"])._open()
    kept = backend.registry.get_model_version(backend.written("small"), "1")
    assert kept.tags["interlock.release"] == mlflow_project.endpoint["release"]
    mlflow_project("audit", "verify", "--artifacts")


def test_a_gate_stops_it_and_a_pickle_does_not_come_in(mlflow_project, prefix):
    """The policy may refuse what is imported; without the stack's word nothing is unpickled."""
    mlflow_project.edit("approvals = 0", 'approvals = 0\norigins = ["trained"]')
    source = f"mlflow:{prefix}cloudpickle@champion"
    said = mlflow_project("models", "import", source, expect=1)
    assert f'pickles = ["{prefix}cloudpickle/1"]' in said.err
    assert "Traceback" not in said.err
    assert mlflow_project.events("candidate.made") == []
    with (mlflow_project.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write(f'pickles = ["{prefix}cloudpickle/1"]\n')
    said = mlflow_project("models", "import", source, expect=3)
    assert "the model is imported; the policy allows: trained" in said.err
    (made,) = mlflow_project.events("candidate.made")
    assert made["record"]["facts"]["unpickled"] is True
    assert mlflow_project.listed("deployments") == []


def test_what_is_typed_wrong_is_said(mlflow_project, prefix):
    """The format is the plugin's to know; an order of columns is passed on to it."""
    said = mlflow_project(
        "models", "import", f"mlflow:{prefix}onnx/1", "--format", "onnx", expect=2
    )
    assert "brought by a plugin that knows its format" in said.err
    words = ("models", "import", f"mlflow:{prefix}skops/1", "--until", "train")
    said = mlflow_project(*words, "--input", "x", "--input", "z", expect=1)
    assert "fitted to the columns z, x" in said.err
