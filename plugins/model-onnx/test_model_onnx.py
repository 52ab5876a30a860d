"""Converting fitted estimators to ONNX: what was converted answers as the estimator does."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import onnx
import pyarrow as pa
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from interlock_hookspecs import Artifact, Field, InvalidInput, Model, Signature, Unsupported
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_onnx import OnnxModel
from interlock_model_onnx.gathering import gathered
from interlock_model_onnx.opening import session_of
from interlock_model_onnx.predictor import OnnxPredictor

SOURCES = {"binary": load_breast_cancer, "multiclass": load_iris, "regression": load_diabetes}
EXACT, FLOATS = 1e-12, 1e-5


def signature_of(kind, inputs, classes=()):
    outputs = {
        "binary": ("score",),
        "multiclass": tuple(f"score[{label}]" for label in classes),
        "regression": ("prediction",),
    }[kind]
    return Signature(
        kind=kind,
        inputs=tuple(Field(name=name, type=type_) for name, type_ in inputs),
        outputs=tuple(Field(name=name, type="double") for name in outputs),
        classes=() if kind == "regression" else classes,
        positive=1 if kind == "binary" else None,
    )


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small fits wait for one another's threads on a busy machine."""
    with threadpool_limits(1, "openmp"):
        yield


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path, openers={"onnx": OnnxModel()})


def answers(table):
    return np.column_stack([column.to_numpy() for column in table.columns])


def expected_of(fitted, kind, matrix):
    if kind == "regression":
        return fitted.predict(matrix).reshape(-1, 1)
    scores = fitted.predict_proba(matrix)
    return scores[:, [1]] if kind == "binary" else scores


FAMILIES = [
    (HistGradientBoostingClassifier(max_iter=10, random_state=0), "binary", EXACT),
    (HistGradientBoostingClassifier(max_iter=5, random_state=0), "multiclass", EXACT),
    (HistGradientBoostingRegressor(max_iter=10, random_state=0), "regression", EXACT),
    (HistGradientBoostingRegressor(loss="gamma", max_iter=5), "regression", 1e-9),
    (HistGradientBoostingClassifier(min_samples_leaf=10_000, random_state=0), "binary", EXACT),
    (DecisionTreeClassifier(random_state=0), "multiclass", FLOATS),
    (RandomForestClassifier(5, random_state=0), "binary", FLOATS),
    (GradientBoostingRegressor(n_estimators=5, random_state=0), "regression", 1e-4),
    (make_pipeline(StandardScaler(), LogisticRegression()), "multiclass", FLOATS),
    (Ridge(), "regression", 1e-3),
]


@pytest.mark.parametrize(("estimator", "kind", "gap"), FAMILIES)
def test_a_converted_model_predicts_as_the_fitted_one(ws, estimator, kind, gap):
    """The scores are the estimator's: exactly for histogram boosting, else to a float's digits."""
    matrix, target = SOURCES[kind](return_X_y=True)
    matrix, target = matrix[::2, :4].astype(np.float32).astype(float), target[::2]
    fitted = estimator.fit(matrix, target)
    classes = tuple(np.unique(target).tolist())
    names = [f"x{place}" for place in range(matrix.shape[1])]
    signature = signature_of(kind, [(name, "double") for name in names], classes)
    predictor = ws.open_model(ws.write_model("onnx", fitted, signature))
    table = pa.table({name: matrix[:, place] for place, name in enumerate(names)})
    found = predictor.predict(table.select(names[::-1]))
    assert found.column_names == [field.name for field in signature.outputs]
    assert np.abs(answers(found) - expected_of(fitted, kind, matrix)).max() <= gap


@pytest.mark.parametrize(("estimator", "kind", "gap"), FAMILIES)
def test_rows_of_numbers_are_answered_to_the_bit(ws, estimator, kind, gap):
    """Without a table, and however the file takes its inputs, the scores are the same."""
    matrix, target = SOURCES[kind](return_X_y=True)
    matrix, target = matrix[::2, :4], target[::2]
    names = [f"x{place}" for place in range(matrix.shape[1])]
    signature = signature_of(
        kind, [(name, "double") for name in names], tuple(np.unique(target).tolist())
    )
    model = ws.write_model("onnx", estimator.fit(matrix, target), signature)
    predictor = ws.open_model(model)
    if gap == EXACT:
        matrix[::3, 1] = np.nan
    table = pa.table({name: pa.array(matrix[:, place]) for place, name in enumerate(names)})
    expected = answers(predictor.predict(table))
    assert predictor.predict_numbers(matrix).tobytes() == expected.tobytes()
    assert predictor.predict_numbers(np.asfortranarray(matrix)).tobytes() == expected.tobytes()
    assert predictor.predict_numbers(matrix[5:6]).shape == expected[5:6].shape
    columns = [int(place) for place in model.facts["columns"].split(",")]
    raw = ws.locate(model.artifact).read_bytes()
    assert len(session_of(raw).get_inputs()) == len(names)
    whole = gathered(raw)
    assert len(session_of(whole).get_inputs()) == 1
    onnx.checker.check_model(onnx.load_model_from_string(whole), full_check=True)
    assert gathered(whole) is whole
    apart = OnnxPredictor(signature, session_of(raw), columns)
    assert answers(apart.predict(table)).tobytes() == expected.tobytes()
    assert apart.predict_numbers(matrix).tobytes() == expected.tobytes()
    matrix[7, 2] = np.inf
    for each in (predictor, apart):
        with pytest.raises(InvalidInput, match="'x2' holds an infinite number"):
            each.predict_numbers(matrix)


def test_a_file_that_uses_its_inputs_one_by_one_is_left_alone(ws):
    """Inputs of several types, or joined with something between, are not gathered."""
    fitted, signature, _, _ = mixed()
    raw = ws.locate(ws.write_model("onnx", fitted, signature).artifact).read_bytes()
    assert gathered(raw) is raw
    matrix, target = load_iris(return_X_y=True)
    halves = [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2, 3])]
    split = make_pipeline(ColumnTransformer(halves), LogisticRegression()).fit(matrix, target)
    names = [(name, "double") for name in "abcd"]
    model = ws.write_model("onnx", split, signature_of("multiclass", names, (0, 1, 2)))
    raw = ws.locate(model.artifact).read_bytes()
    assert gathered(raw) is raw


def test_a_file_without_a_record_answers_in_the_order_of_its_classes(ws):
    """One that was made elsewhere says nothing of its columns: they are the sorted classes'."""
    for kind, estimator in (
        ("binary", DecisionTreeClassifier(random_state=0)),
        ("multiclass", DecisionTreeClassifier(random_state=0)),
        ("regression", Ridge()),
    ):
        matrix, target = SOURCES[kind](return_X_y=True)
        matrix = matrix[:, :2].astype(np.float32).astype(float)
        names, classes = ["a", "b"], tuple(np.unique(target).tolist())
        signature = signature_of(kind, [(name, "double") for name in names], classes)
        model = ws.write_model("onnx", estimator.fit(matrix, target), signature)
        table = pa.table(dict(zip(names, matrix.T, strict=True)))
        bare = ws.open_model(attrs.evolve(model, facts={}))
        assert bare.predict(table).equals(ws.open_model(model).predict(table))


@pytest.mark.parametrize("width", [2, None])
def test_a_file_may_take_its_numbers_as_one_matrix(ws, width):
    """As skl2onnx writes one elsewhere; of another width it is none of this signature."""
    matrix, target = load_breast_cancer(return_X_y=True)
    matrix = matrix[:, :2].astype(np.float32)
    fitted = DecisionTreeClassifier(max_depth=3, random_state=0).fit(matrix, target)
    initial = [("X", FloatTensorType([None, width]))]
    path = ws.scratch() / "model.onnx"
    converted = to_onnx(fitted, initial_types=initial, options={"zipmap": False})
    path.write_bytes(converted.SerializeToString())
    signature = signature_of("binary", [("a", "double"), ("b", "double")], (0, 1))
    model = Model(format="onnx", artifact=ws.keep(path), signature=signature)
    table = pa.table(dict(zip("ab", matrix.T.astype(float), strict=True)))
    found = answers(ws.open_model(model).predict(table))
    assert np.abs(found - expected_of(fitted, "binary", matrix)).max() <= 1e-6
    assert ws.open_model(model).predict(table.slice(0, 0)).num_rows == 0
    wide = signature_of("binary", [(name, "double") for name in "abc"], (0, 1))
    if width:
        with pytest.raises(InvalidInput, match="inputs are not the ones"):
            ws.open_model(attrs.evolve(model, signature=wide))


def mixed():
    """Rows with text, numbers and holes; boosting behind an encoder, as train-sklearn builds it."""
    rng = np.random.default_rng(0)
    matrix = np.empty((500, 3), object)
    matrix[:, 0] = rng.choice(["x", "y", "", None], 500)
    matrix[:, 1] = rng.choice([1.0, 2.0, 5.0], 500)
    matrix[:, 2] = np.where(rng.random(500) < 0.2, np.nan, rng.normal(size=500))
    target = (matrix[:, 0] == "x") | (matrix[:, 1] > 1)
    encoder = OrdinalEncoder(
        categories=[np.array(["", "x", "y"], object), np.array([1.0, 2.0])],
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
    )
    step = ColumnTransformer([("text", encoder, [0, 1]), ("numbers", "passthrough", [2])])
    estimator = HistGradientBoostingClassifier(max_iter=10, random_state=0)
    fitted = Pipeline([("columns", step), ("estimator", estimator)]).fit(matrix, target.astype(int))
    signature = signature_of(
        "binary", [("größe", "string"), ("n", "int64"), ("z", "double")], (0, 1)
    )
    table = pa.table(
        {
            "größe": pa.array(matrix[:, 0].tolist(), pa.string()),
            "n": pa.array(matrix[:, 1].astype(int)),
            "z": pa.array(matrix[:, 2].astype(float), from_pandas=True),
        }
    )
    return fitted, signature, table, matrix


def test_text_nulls_and_unknown_values_convert(ws):
    """Text is encoded in the model, the empty text apart from null; null and unknown are one."""
    fitted, signature, table, matrix = mixed()
    found = ws.open_model(ws.write_model("onnx", fitted, signature)).predict(table)
    assert np.abs(answers(found) - expected_of(fitted, "binary", matrix)).max() <= EXACT


PROGRAM = """
import pathlib, sys, tempfile
sys.path.insert(0, {folder!r})
from test_model_onnx import LocalWorkspace, OnnxModel, mixed
fitted, signature, _, _ = mixed()
ws = LocalWorkspace(pathlib.Path(tempfile.mkdtemp()), openers={{"onnx": OnnxModel()}})
print(ws.write_model("onnx", fitted, signature).digest)
"""


def test_equal_fits_give_equal_bytes_in_every_process(ws, request):
    """The digest depends on the fitted state only: no process, hash seed or second time in it."""
    fitted, signature, _, _ = mixed()
    here = {ws.write_model("onnx", fitted, signature).digest for _ in range(2)}
    program = PROGRAM.format(folder=str(request.path.parent))
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert here == {done.stdout.split()[-1]}


def test_many_threads_predict_alike(ws):
    """One opened model serves many threads at once."""
    fitted, signature, table, _ = mixed()
    predictor = ws.open_model(ws.write_model("onnx", fitted, signature))
    once = predictor.predict(table)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: predictor.predict(table), range(40)))
    assert all(each.equals(once) for each in found)
    assert predictor.predict(table.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda table: table.drop_columns(["n"]), "no column 'n'"),
        (lambda table: table.set_column(1, "n", pa.array(["1"] * 500)), "'n' is string"),
        (lambda table: table.set_column(0, "größe", pa.array([1] * 500)), "'größe' is int64"),
        (lambda table: table.set_column(2, "z", pa.array([np.inf] * 500)), "'z' holds an infinite"),
    ],
)
def test_rows_that_do_not_fit_are_named(ws, change, why):
    """A column that is missing, of another type or infinite is an InvalidInput that names it."""
    fitted, signature, table, _ = mixed()
    predictor = ws.open_model(ws.write_model("onnx", fitted, signature))
    with pytest.raises(InvalidInput, match=why):
        predictor.predict(change(table))


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (LinearSVC(), "LinearSVC gives no probabilities"),
        (HistGradientBoostingClassifier(categorical_features=[0]), "categorical_features"),
        (LocalOutlierFactor(), "gives no probabilities"),
    ],
)
def test_what_does_not_convert_says_why(ws, estimator, why):
    """An estimator that does not convert is Unsupported, and the message says which part."""
    rng = np.random.default_rng(0)
    matrix = np.column_stack([rng.integers(0, 4, 400), rng.normal(size=400)]).astype(float)
    fitted = estimator.fit(matrix, np.isin(matrix[:, 0], (0, 2)).astype(int))
    signature = signature_of("binary", [("a", "double"), ("b", "double")], (0, 1))
    with pytest.raises(Unsupported, match=why):
        ws.write_model("onnx", fitted, signature)


def test_a_format_that_gives_no_estimator_does_not_convert(tmp_path):
    """Packaging needs the fitted object: a model that was converted has none."""
    ws = LocalWorkspace(tmp_path, openers={"onnx": OnnxModel()})
    fitted, signature, _, _ = mixed()
    with pytest.raises(Unsupported, match="gives nothing to convert"):
        ws.package_model("onnx", ws.write_model("onnx", fitted, signature))


def test_the_file_is_onnx_to_anybody(ws):
    """The file passes ONNX's own checker, and names its inputs as the task does."""
    fitted, signature, _, _ = mixed()
    model = ws.write_model("onnx", fitted, signature)
    loaded = onnx.load_model(ws.locate(model.artifact))
    onnx.checker.check_model(loaded, full_check=True)
    assert [each.name for each in loaded.graph.input] == ["größe", "n", "z"]
    assert isinstance(model.artifact, Artifact)
