"""What Interlock registered, loaded by a script that knows MLflow only, without Interlock."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from pathlib import Path

import mlflow_server as servers
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from interlock_hookspecs import Facts, Field, Signature, fields_of
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_model_skops import SkopsModel
from interlock_registry_mlflow import MlflowRegistry

pytestmark = [
    pytest.mark.real_backend,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning"),
]

SCRIPT = Path(servers.__file__).with_name("load_with_mlflow.py")
DATA = "sha256:" + "d" * 64


def rows(count=80):
    random = np.random.default_rng(3)
    x, z = random.normal(size=(2, count))
    return pa.table(
        {
            "x": x,
            "count": pa.array([None if place % 9 == 0 else place for place in range(count)]),
            "whole": np.arange(count),
            "flag": pa.array([place % 2 == 0 for place in range(count)]),
            "z": z,
            "city": [None if place % 7 == 0 else "ABC"[place % 3] for place in range(count)],
        }
    )


def numbers(table, names):
    columns = [table[name].to_pandas().to_numpy(dtype=float, na_value=np.nan) for name in names]
    return np.column_stack(columns)


def inputs(table, names):
    return fields_of(table.select(names))


def binary(table):
    names = ["x", "count", "whole", "flag"]
    target = (table["x"].to_numpy() > 0).astype(int)
    fitted = HistGradientBoostingClassifier(max_iter=5).fit(numbers(table, names), target)
    fields = inputs(table, names)
    outputs = (Field(name="score", type="double"),)
    return fitted, Signature(
        kind="binary", inputs=fields, outputs=outputs, classes=(0, 1), positive=1
    )


def multiclass(table):
    names = ["city", "z"]
    cities = np.array([["A", "B", "C"]], object)
    encode = OrdinalEncoder(
        categories=list(cities), handle_unknown="use_encoded_value", unknown_value=-1
    )
    first = ColumnTransformer([("city", encode, [0]), ("rest", "passthrough", [1])])
    matrix = np.empty((len(table), 2), object)
    matrix[:, 0], matrix[:, 1] = table["city"].to_pylist(), table["z"].to_pylist()
    target = np.array(["low", "mid", "top"])[np.digitize(table["z"].to_numpy(), [-0.5, 0.5])]
    fitted = make_pipeline(first, LogisticRegression(max_iter=500)).fit(matrix, target)
    classes = ("low", "mid", "top")
    outputs = tuple(Field(name=f"score[{word}]", type="double") for word in classes)
    fields = inputs(table, names)
    return fitted, Signature(kind="multiclass", inputs=fields, outputs=outputs, classes=classes)


def regression(table):
    fitted = HistGradientBoostingRegressor(max_iter=5).fit(
        numbers(table, ["z", "x"]), table["x"].to_numpy()
    )
    outputs = (Field(name="prediction", type="double"),)
    return fitted, Signature(kind="regression", inputs=inputs(table, ["z", "x"]), outputs=outputs)


@pytest.fixture(params=["server", "database"])
def registry(request, mlflow_server, mlflow_database, tmp_path):
    shutil.copyfile(mlflow_database, tmp_path / "mlflow.db")
    uri = mlflow_server.url if request.param == "server" else "sqlite:///mlflow.db"
    return MlflowRegistry(uri=uri, prefix=f"{uuid.uuid4().hex} ", timeout=25.0, root=tmp_path)


def test_a_script_without_interlock_predicts_the_same(registry, mlflow_server, tmp_path):
    """Every kind of model gives bit for bit the same scores, and its lineage is listed."""
    table = rows()
    ws = LocalWorkspace(tmp_path / "workspace", openers={"skops": SkopsModel()})
    expected = {}
    for make in (binary, multiclass, regression):
        model = ws.write_model("skops", *make(table))
        facts = Facts({"run": f"run-{make.__name__}", "data": DATA, "code": "sha256:c"})
        made = registry.register_version(make.__name__, make.__name__, model, facts, ws)
        registry.set_alias(make.__name__, "champion", None, made.number)
        expected[make.__name__] = ws.open_model(model).predict(table).to_pydict()
    pq.write_table(table, tmp_path / "rows.parquet")
    uri = registry.uri if "http" in registry.uri else f"sqlite:///{tmp_path / 'mlflow.db'}"
    done = subprocess.run(
        [mlflow_server.python, SCRIPT, uri, registry.prefix, tmp_path / "rows.parquet"],
        env={**servers.environment(), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["interlock"], "the environment has Interlock in it: this proves nothing"
    for name, scores in expected.items():
        assert found["models"][name]["scores"] == scores
        assert found["models"][name]["run"] == f"run-{name}"
        assert found["models"][name]["data"] == DATA
        assert set(model.requirements) < set(found["models"][name]["requirements"])
    assert found["models"]["binary"]["sklearn"] == expected["binary"]["score"]
