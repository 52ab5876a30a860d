"""What MLServer answers for a model is what the model answers here, and its folder is kept so."""

import json
import os
import signal
import subprocess
import sys
import urllib.request

import attrs
import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from interlock_deploy_seldon.mlserver.api import Api
from interlock_deploy_seldon.mlserver.packing import pack
from interlock_deploy_seldon.mlserver.predictor import RemotePredictor
from interlock_deploy_seldon.mlserver.repository import Repository
from interlock_hookspecs import (
    Field,
    InvalidInput,
    Model,
    OpenTarget,
    PluginError,
    Signature,
    Unavailable,
    Unsupported,
)
from interlock_hookspecs.conformance.released import SIGNATURE, Share, target_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_onnx import OnnxBundle, OnnxModel
from interlock_model_skops import SkopsModel

pytestmark = pytest.mark.real_backend


@attrs.frozen
class Opened:
    """What an opener gives, as far as MLServer is asked instead of it."""

    fitted: object
    signature: object

    def predict(self, rows):
        raise AssertionError("MLServer was to be asked")


CITIES = ("Lowell", "Salem", None)


def signature_of(kind, columns, classes=()):
    outputs = {
        "binary": ("score",),
        "multiclass": tuple(f"score[{label}]" for label in classes),
        "regression": ("prediction",),
    }[kind]
    return Signature(
        kind=kind,
        inputs=tuple(Field(name=name, type=of, nullable=True) for name, of in columns.items()),
        outputs=tuple(Field(name=name, type="double", nullable=False) for name in outputs),
        classes=classes,
        positive=classes[1] if kind == "binary" else None,
    )


def numbers():
    """Rows of three columns of numbers, with missing and with infinite ones."""
    random = np.random.default_rng(5)
    x, z = random.normal(size=(2, 300)) / 3
    x[::11] = np.nan
    z[::37] = np.inf
    count = random.integers(0, 9, 300)
    return pa.table({"x": pa.array(x, from_pandas=True), "count": count, "z": z})


def with_text(rows):
    return rows.append_column("city", [[CITIES[place % 3] for place in range(len(rows))]])


def fitted_to(kind, *, text=False):
    """An estimator, its signature, and rows to ask it about."""
    rows = with_text(numbers()) if text else numbers()
    types = {"x": "double", "count": "int64", "z": "double"} | ({"city": "string"} if text else {})
    matrix = np.empty((len(rows), len(types)), object if text else float)
    for place, name in enumerate(rows.column_names):
        matrix[:, place] = rows[name].to_numpy(zero_copy_only=False)
    place = np.arange(len(rows))
    target, classes = {
        "binary": (np.where(place % 2, "yes", "no"), ("no", "yes")),
        "multiclass": (place % 3, (0, 1, 2)),
        "regression": (np.sqrt(place), ()),
    }[kind]
    boosting = (
        HistGradientBoostingRegressor if kind == "regression" else HistGradientBoostingClassifier
    )
    estimator = boosting(max_iter=8, min_samples_leaf=3, random_state=0)
    if text:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        encode = make_column_transformer((encoder, [3]), remainder="passthrough")
        estimator = make_pipeline(encode, estimator)
    # An infinite number is asked about, and none is fitted to.
    matrix[:, 2] = np.clip(matrix[:, 2].astype(float), None, 1.0)
    return estimator.fit(matrix, target), signature_of(kind, types, classes), rows


@pytest.fixture
def ws(tmp_path):
    openers = {"skops": SkopsModel(), "onnx": OnnxModel(), "edge": OnnxBundle()}
    return LocalWorkspace(tmp_path / "workspace", openers=openers)


@pytest.fixture
def api(joined_mlserver):
    made = Api(lambda: joined_mlserver.url, 60.0, 60.0)
    yield made
    made.close()


@pytest.fixture
def repository(joined_mlserver, api):
    return Repository(joined_mlserver.repository, api)


@pytest.fixture
def served(repository, api, ws):
    """Have MLServer serve a model: the predictor that asks it."""
    taken = []

    def serve(model, predictor=None):
        opened = OpenTarget(
            target=target_of(1, model=model), predictor=predictor or ws.open_model(model)
        )
        held = repository.take(lambda folder: pack(opened, folder, ws))
        taken.append(held)
        return RemotePredictor(opened.predictor.signature, held, api, lambda: None)

    yield serve
    for held in taken:
        repository.leave(held)


@pytest.mark.parametrize("text", [False, True], ids=["numbers", "text"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_scikit_learn_answers_bit_for_bit(ws, served, kind, text):
    """Over numbers and texts, with missing and infinite values, whatever the task."""
    fitted, signature, rows = fitted_to(kind, text=text)
    model = ws.write_model("skops", fitted, signature)
    there, here = served(model), ws.open_model(model)
    assert there.predict(rows).equals(here.predict(rows))
    # The columns in another order, one more among them, and other types for the same values.
    shuffled = rows.select(rows.column_names[::-1]).append_column("id", [range(len(rows))])
    shuffled = shuffled.set_column(
        shuffled.column_names.index("count"), "count", shuffled["count"].cast(pa.int8())
    )
    assert there.predict(shuffled).equals(here.predict(rows))
    assert there.predict(rows.slice(0, 0)).equals(here.predict(rows.slice(0, 0)))


@pytest.mark.parametrize("format_of", ["onnx", "edge"])
def test_onnx_answers_bit_for_bit(ws, served, format_of):
    """A converted model is run from its file by a runtime that lies beside it."""
    fitted, signature, rows = fitted_to("multiclass", text=True)
    original = ws.write_model("skops", fitted, signature)
    model = ws.package_model(format_of, original)
    finite = rows.filter(pa.compute.is_finite(rows["z"]))
    there, here = served(model), ws.open_model(model)
    assert there.predict(finite).equals(here.predict(finite))
    with pytest.raises(InvalidInput, match="'z' holds an infinite number"):
        there.predict(rows)


def test_a_wide_matrix_of_an_onnx_file_made_elsewhere(ws, served, tmp_path):
    """A file with one input for all numbers is given them so."""
    from skl2onnx import to_onnx

    random = np.random.default_rng(3)
    matrix, target = random.normal(size=(80, 3)), np.arange(80) % 2
    estimator = LogisticRegression().fit(matrix, target)
    made = to_onnx(estimator, matrix.astype(np.float32), options={"zipmap": False}, target_opset=21)
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    signature = signature_of("binary", dict.fromkeys("abc", "double"), (0, 1))
    skops = ws.write_model("skops", estimator, signature)
    model = attrs.evolve(skops, format="onnx", artifact=ws.keep(path), facts={})
    rows = pa.table(dict(zip("abc", matrix.T, strict=True)))
    assert served(model).predict(rows).equals(ws.open_model(model).predict(rows))


# As MLflow saves it: by its own code, in an environment that has it.
SAVE = """
import sys
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

x, count = np.random.default_rng(0).normal(size=60), np.arange(60) % 7
frame = pd.DataFrame({"x": x, "count": count, "city": ["Lowell", "Salem", "Lynn"] * 20})
encode = make_column_transformer((OrdinalEncoder(), ["city"]), remainder="passthrough")
fitted = make_pipeline(encode, LogisticRegression()).fit(frame, np.arange(60) % 2)
scores = fitted.predict_proba(frame)
for name, method in (("scores", "predict_proba"), ("labels", "predict")):
    mlflow.sklearn.save_model(
        fitted, f"{sys.argv[1]}/{name}", pyfunc_predict_fn=method,
        signature=infer_signature(frame, scores), serialization_format="cloudpickle",
    )
print(scores[:, 1].tolist(), x.tolist(), sep="\\n")
"""


def test_a_folder_of_mlflow_is_run_by_its_own_runtime(ws, served, mlserver_command, tmp_path):
    """Asked by named columns of their types; one that answers labels is told how to be saved."""
    python = mlserver_command.with_name("python")
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SAVE, tmp_path],
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    scores, x = map(json.loads, done.stdout.splitlines())
    rows = pa.table(
        {"city": ["Lowell", "Salem", "Lynn"] * 20, "x": x, "count": [*range(7)] * 8 + [0, 1, 2, 3]}
    )
    signature = signature_of("binary", {"x": "double", "count": "int64", "city": "string"}, (0, 1))
    artifact = ws.keep(tmp_path / "scores")
    model = Model(format="mlflow", artifact=artifact, signature=signature)
    opened = Opened(fitted=None, signature=signature)
    there = served(model, opened)
    assert there.predict(rows)["score"].to_pylist() == scores
    infinite = rows.set_column(1, "x", pa.array([np.inf] * 60))
    with pytest.raises(InvalidInput, match="'x' holds an infinite number"):
        there.predict(infinite)
    labels = attrs.evolve(model, artifact=ws.keep(tmp_path / "labels"))
    with pytest.raises(PluginError, match=r"answers .* and not score: .*predict_proba"):
        served(labels, opened).predict(rows)


def test_a_plain_client_of_mlserver_is_answered(ws, served, joined_mlserver):
    """Whoever asks MLServer past us may send the plain tensor that its metadata declares."""
    fitted, signature, rows = fitted_to("regression")
    model = ws.write_model("skops", fitted, signature)
    there = served(model)
    name = there.held.name
    with urllib.request.urlopen(f"{joined_mlserver.url}/v2/models/{name}", timeout=60) as answer:
        (declared,) = json.load(answer)["inputs"]
    assert (declared["name"], declared["datatype"], declared["shape"]) == (
        "numbers",
        "FP64",
        [-1, 3],
    )
    body = {"name": "numbers", "datatype": "FP64", "shape": [2, 3], "data": [1, 2, 3, 4, 5, None]}
    asked = urllib.request.Request(
        f"{joined_mlserver.url}/v2/models/{name}/infer",
        json.dumps({"inputs": [body]}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        found = json.load(answer)["outputs"][0]["data"]
    assert found == fitted.predict([[1, 2, 3], [4, 5, np.nan]]).tolist()
    assert len(rows) == 300


def test_what_mlserver_cannot_open_is_said_in_its_words(ws, repository, joined_mlserver):
    """Another scikit-learn there, or an estimator that it does not have: neither is served."""
    fitted, signature, _ = fitted_to("regression")
    model = ws.write_model("skops", fitted, signature)
    target = OpenTarget(target=target_of(1, model=model), predictor=ws.open_model(model))

    def of_another_version(folder):
        made = pack(target, folder, ws)
        made.settings["parameters"]["extra"]["versions"]["scikit-learn"] = "0.1"
        return made

    with pytest.raises(PluginError, match=r"written by scikit-learn 0\.1, and MLServer has 1\."):
        repository.take(of_another_version)

    def of_what_is_not_there(folder):
        made = pack(target, folder, ws)
        # A pickle of a class of a module that only this process has.
        (folder / "model.joblib").write_bytes(b"cnot_in_mlserver\nThing\n.")
        return made

    with pytest.raises(PluginError, match="not in MLServer's environment: No module named"):
        repository.take(of_what_is_not_there)
    # What did not load is not left there, and MLServer goes on.
    assert not list(joined_mlserver.repository.glob("interlock-*"))
    held = repository.take(lambda folder: pack(target, folder, ws))
    repository.leave(held)


def test_a_format_that_gives_nothing_is_unsupported(ws, tmp_path):
    """A model that only its opener can ask is none for MLServer, and the way out is named."""
    target = OpenTarget(target=target_of(1), predictor=Share(1))
    with pytest.raises(Unsupported, match="of the format 'share' is none"):
        pack(target, tmp_path, ws)
    unpicklable = Opened(fitted=LogisticRegression(), signature=SIGNATURE)
    unpicklable.fitted.hook = lambda: None
    with pytest.raises(Unsupported, match="LogisticRegression cannot be pickled"):
        pack(OpenTarget(target=target_of(1), predictor=unpicklable), tmp_path, ws)


def test_a_model_stays_until_the_last_who_needs_it_leaves(ws, repository, api, joined_mlserver):
    """Two who serve one model share its folder; the one left goes on being answered."""
    fitted, signature, rows = fitted_to("binary")
    model = ws.write_model("skops", fitted, signature)
    target = OpenTarget(target=target_of(1, model=model), predictor=ws.open_model(model))

    def write(folder):
        return pack(target, folder, ws)

    first, second = repository.take(write), repository.take(write)
    assert first.name == second.name
    assert joined_mlserver.models() == {first.name}
    repository.leave(first)
    assert joined_mlserver.models() == {first.name}
    there = RemotePredictor(signature, second, api, lambda: None)
    assert there.predict(rows).num_rows == 300
    repository.leave(second)
    assert joined_mlserver.models() == set()
    assert not list(joined_mlserver.repository.glob("interlock-*"))
    with pytest.raises(Unavailable, match="has not loaded the model again"):
        there.predict(rows)


TAKE = """
import sys
from pathlib import Path
from interlock_deploy_seldon.mlserver.api import Api
from interlock_deploy_seldon.mlserver.packing import Pack
from interlock_deploy_seldon.mlserver.repository import Repository

url, root = sys.argv[1:]
def write(folder):
    (folder / "interlock_nothing.py").write_text(
        "from mlserver import MLModel\\nclass Nothing(MLModel):\\n    pass\\n"
    )
    settings = {"implementation": "interlock_nothing.Nothing"}
    return Pack(settings=settings, output="", places=(0,), finite=False)
Repository(Path(root), Api(lambda: url, 60.0, 60.0)).take(write)
print("taken", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_left_is_swept(repository, joined_mlserver):
    """As long as it lives its model stays; killed, the next one unloads it and removes it."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, joined_mlserver.url, joined_mlserver.repository],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"taken\n"
        (name,) = joined_mlserver.models()
        repository.sweep()
        assert joined_mlserver.models() == {name}
        os.kill(other.pid, signal.SIGKILL)
        other.wait(60)
    repository.sweep()
    assert joined_mlserver.models() == set()
    assert not list(joined_mlserver.repository.glob("interlock-*"))


def test_a_repository_that_anybody_writes_to_is_refused(tmp_path, api):
    """What lies there runs in MLServer."""
    tmp_path.chmod(0o777)
    with pytest.raises(InvalidInput, match="can be written to by anybody"):
        Repository(tmp_path, api)
    with pytest.raises(InvalidInput, match="No such file"):
        Repository(tmp_path / "none", api)
