"""Writing and opening models in the skops format."""

import importlib
import io
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from interlock_hookspecs import Field, InvalidInput, Signature, Unsupported
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel
from interlock_model_skops.allowed import BY_LOADER
from interlock_model_skops.canonical import canonical
from interlock_model_skops.inspection import inspect_file

SOURCES = {
    "binary": load_breast_cancer,
    "multiclass": load_iris,
    "regression": load_diabetes,
}


def data_of(kind):
    features, target = SOURCES[kind](return_X_y=True)
    return features[::3, :6], target[::3]


def signature_of(kind, names, types=None, classes=(0, 1)):
    inputs = tuple(Field(name=name, type=(types or {}).get(name, "double")) for name in names)
    outputs = {
        "binary": ("score",),
        "multiclass": tuple(f"score[{label}]" for label in classes),
        "regression": ("prediction",),
    }[kind]
    return Signature(
        kind=kind,
        inputs=inputs,
        outputs=tuple(Field(name=name, type="double") for name in outputs),
        classes=() if kind == "regression" else classes,
        positive=1 if kind == "binary" else None,
    )


def fitted_model(estimator, kind):
    features, target = data_of(kind)
    estimator.fit(features, target)
    names = [f"x{place}" for place in range(features.shape[1])]
    classes = tuple(np.unique(target).tolist()) if kind != "regression" else ()
    table = pa.table({name: features[:, place] for place, name in enumerate(names)})
    return estimator, signature_of(kind, names, classes=classes), features, table


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small fits wait for one another's threads on a busy machine."""
    with threadpool_limits(1, "openmp"):
        yield


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path, openers={"skops": SkopsModel()})


FAMILIES = [
    (HistGradientBoostingClassifier(max_iter=10, random_state=0), "binary"),
    (HistGradientBoostingClassifier(max_iter=5, random_state=0), "multiclass"),
    (HistGradientBoostingRegressor(max_iter=10, random_state=0), "regression"),
    (GradientBoostingClassifier(n_estimators=5, random_state=0), "binary"),
    (GradientBoostingClassifier(n_estimators=5, random_state=0), "multiclass"),
    (GradientBoostingRegressor(n_estimators=5, random_state=0), "regression"),
    (DecisionTreeClassifier(random_state=0), "multiclass"),
    (DecisionTreeRegressor(random_state=0), "regression"),
    (RandomForestClassifier(5, random_state=0), "binary"),
    (ExtraTreesRegressor(5, random_state=0), "regression"),
    (make_pipeline(StandardScaler(), LogisticRegression()), "multiclass"),
    (LinearRegression(), "regression"),
    (make_pipeline(FunctionTransformer(np.log1p), LogisticRegression(max_iter=5000)), "multiclass"),
]


@pytest.mark.parametrize(("estimator", "kind"), FAMILIES)
def test_an_opened_model_predicts_as_the_fitted_one(ws, estimator, kind):
    """What is opened gives bit for bit the predictions of what was written."""
    fitted, signature, features, table = fitted_model(estimator, kind)
    predictor = ws.open_model(ws.write_model("skops", fitted, signature))
    found = predictor.predict(table)
    assert found.column_names == [field.name for field in signature.outputs]
    expected = fitted.predict(features) if kind == "regression" else fitted.predict_proba(features)
    if kind == "binary":
        expected = expected[:, 1]
    assert np.array_equal(
        np.squeeze(np.column_stack([column.to_numpy() for column in found.columns])), expected
    )


@pytest.mark.parametrize(("estimator", "kind"), FAMILIES)
def test_the_canonical_form_is_stable(estimator, kind):
    """A model that was opened is written as the same bytes again, and rewriting changes nothing."""
    fitted, _, _, _ = fitted_model(estimator, kind)
    first = canonical(skops.io.dumps(fitted))
    types = sorted(set().union(*BY_LOADER.values()))
    assert canonical(first) == first
    assert canonical(skops.io.dumps(skops.io.loads(first, trusted=types))) == first


def test_the_neural_network_round_trips(ws):
    """A multilayer perceptron, whose optimizer and generator are part of it, is opened."""
    estimator = MLPClassifier((4,), max_iter=2000, tol=1e-2, random_state=0)
    fitted, signature, features, table = fitted_model(estimator, "multiclass")
    found = ws.open_model(ws.write_model("skops", fitted, signature)).predict(table)
    assert np.allclose(found["score[2]"].to_numpy(), fitted.predict_proba(features)[:, 2])


WRITER = """
import hashlib, sys
from interlock_model_skops.opening import dump_checked
from sklearn.datasets import load_iris
from sklearn.ensemble import (GradientBoostingClassifier, HistGradientBoostingClassifier,
                              RandomForestClassifier)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits
from threadpoolctl import threadpool_limits
X, y = load_iris(return_X_y=True)
with threadpool_limits(1, "blas"):
    for model in (HistGradientBoostingClassifier(max_iter=5, random_state=0),
                  DecisionTreeClassifier(random_state=0),
                  RandomForestClassifier(5, random_state=0),
                  GradientBoostingClassifier(n_estimators=5, random_state=0),
                  LogisticRegression(max_iter=500)):
        data = dump_checked(model.fit(X, y), allow=(), max_bytes=1 << 30)
        print(hashlib.sha256(data).hexdigest())
"""


def test_equal_fits_give_equal_bytes_in_any_process(tmp_path):
    """The digest does not depend on the hash seed, the number of threads or the folder."""

    def digests(seed, threads, folder):
        folder.mkdir()
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", WRITER],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    first = digests("1", "1", tmp_path / "a")
    assert len(set(first)) == 5
    assert digests("2", "2", tmp_path / "b") == first


def test_every_allowed_type_exists():
    """A name on the vetted list that scikit-learn no longer has would vouch for nothing."""
    for names in BY_LOADER.values():
        for name in names:
            module, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(module), attribute), name


def test_a_type_outside_the_list_is_not_written(ws):
    """Writing names the type that would not be opened again."""
    fitted, signature, _, _ = fitted_model(KNeighborsClassifier(), "multiclass")
    with pytest.raises(Unsupported, match=r"sklearn\.neighbors\._classification\.KNeighbors"):
        ws.write_model("skops", fitted, signature)


def test_a_stack_may_allow_a_type_by_name(tmp_path):
    """A type that the stack names is written and opened."""
    opener = SkopsModel(allow=("sklearn.neighbors._classification.KNeighborsClassifier",))
    ws = LocalWorkspace(tmp_path, openers={"skops": opener})
    estimator = KNeighborsClassifier(algorithm="brute")
    fitted, signature, _, table = fitted_model(estimator, "multiclass")
    assert len(ws.open_model(ws.write_model("skops", fitted, signature)).predict(table)) == 50


def test_a_classifier_without_probabilities_is_not_written(ws):
    """What cannot give the signature's scores is refused when it is written."""
    fitted, signature, _, _ = fitted_model(LinearSVC(), "multiclass")
    with pytest.raises(Unsupported, match="CalibratedClassifierCV"):
        ws.write_model("skops", fitted, signature)


def test_classes_must_be_the_signatures(ws):
    """A classifier of other classes than its signature says is refused."""
    fitted, _, _, _ = fitted_model(DecisionTreeClassifier(), "multiclass")
    other = signature_of("multiclass", ["x"], classes=("a", "b", "c"))
    with pytest.raises(InvalidInput, match="classes"):
        ws.write_model("skops", fitted, other)


def iris_predictor(ws):
    fitted, signature, _, table = fitted_model(
        HistGradientBoostingClassifier(max_iter=5, random_state=0), "multiclass"
    )
    return ws.open_model(ws.write_model("skops", fitted, signature)), table


def test_integers_nulls_other_orders_and_further_columns_are_taken(ws):
    """Columns are found by name; integers and nulls are read as the numbers they stand for."""
    predictor, table = iris_predictor(ws)
    whole = table.slice(0, 3)
    ints = pa.table(
        {
            "extra": ["a", "b", "c"],
            "x3": pa.array([1, None, 0], pa.int32()),
            "x2": pa.nulls(3),
            "x1": whole["x1"],
            "x0": whole["x0"].cast(pa.float32()).cast(pa.float64()),
        }
    )
    assert len(predictor.predict(ints)) == 3


def test_no_rows_give_no_predictions(ws):
    """An empty table is answered by an empty table of the outputs."""
    predictor, table = iris_predictor(ws)
    found = predictor.predict(table.slice(0, 0))
    assert (found.num_rows, found.num_columns) == (0, 3)


def test_a_missing_column_is_named(ws):
    """The error says which column the model takes and the rows lack."""
    predictor, table = iris_predictor(ws)
    with pytest.raises(InvalidInput, match="'x2'"):
        predictor.predict(table.drop_columns(["x2"]))


def test_a_column_of_another_type_is_named(ws):
    """Text for a number is refused."""
    predictor, table = iris_predictor(ws)
    with pytest.raises(InvalidInput, match="'x0' is string, the model takes double"):
        predictor.predict(table.set_column(0, "x0", pa.array(["1"] * len(table))))


def test_an_infinite_number_is_named(ws):
    """What scikit-learn refuses is said with the column's name, and without a value."""
    fitted, signature, _, table = fitted_model(DecisionTreeClassifier(), "multiclass")
    predictor = ws.open_model(ws.write_model("skops", fitted, signature))
    with pytest.raises(InvalidInput, match="'x1' holds an infinite number"):
        predictor.predict(table.set_column(1, "x1", pa.array([float("inf")] * len(table))))


def test_threads_that_predict_at_once_agree(ws):
    """Sixteen calls from eight threads give what one call gives."""
    predictor, table = iris_predictor(ws)
    expected = predictor.predict(table)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: predictor.predict(table), range(16)))
    assert all(answer.equals(expected) for answer in found)


def test_a_model_opens_in_isolation(tmp_path):
    """With `isolated` a file is first opened in a child, which says what it holds."""
    ws = LocalWorkspace(tmp_path, openers={"skops": SkopsModel(isolated=True)})
    predictor, table = iris_predictor(ws)
    assert len(predictor.predict(table)) == 50


def test_inspection_bears_what_runs_out_of_memory(tmp_path):
    """A child that may have too little memory dies alone, and the file is refused."""
    path = tmp_path / "model.skops"
    path.write_bytes(canonical(skops.io.dumps(LinearRegression())))
    with pytest.raises(InvalidInput, match="out of memory"):
        inspect_file(path, memory=64 << 20)


def test_plain_skops_files_are_opened_too(ws, tmp_path):
    """A file that skops itself wrote is as good, if every type in it is allowed."""
    fitted, signature, _, table = fitted_model(DecisionTreeClassifier(), "multiclass")
    model = ws.write_model("skops", fitted, signature)
    plain = tmp_path / "plain.skops"
    skops.io.dump(fitted, plain)
    model = attrs.evolve(model, artifact=ws.keep(plain))
    with zipfile.ZipFile(io.BytesIO(plain.read_bytes())) as archive:
        assert "schema.json" in archive.namelist()
    assert len(ws.open_model(model).predict(table)) == 50


LISTED = """
import sys, types

asked = []

class Watched(types.ModuleType):
    def __getattr__(self, name):
        asked.append(name)
        raise AttributeError(name)

sys.modules["watched"] = Watched("watched")
import sklearn.ensemble
{importing}
import scipy.special
from skops.io import _trusted_types as trusted

assert not hasattr(scipy.special.expit, "__module__")
print(len(asked))
print(*trusted.SCIPY_UFUNC_TYPE_NAMES, *trusted.NUMPY_UFUNC_TYPE_NAMES)
"""
OURS = "from interlock_model_skops.library import import_skops; import_skops()"


def test_skops_lists_the_same_functions_without_a_search_through_every_module():
    def listed(importing):
        command = [sys.executable, "-c", LISTED.format(importing=importing)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        asked, names = done.stdout.splitlines()
        return int(asked), names

    searched, expected = listed("import skops.io")
    asked, names = listed(OURS)
    assert names == expected
    assert searched > 200
    assert asked == 0


def test_skops_is_imported_without_pytest():
    """A server needs none; whoever asks for scikit-learn's helpers for tests has all of them."""
    script = (
        f"import sys; {OURS}; assert 'pytest' not in sys.modules; "
        "from sklearn.utils._testing import skip_if_32bit; import pytest; print(skip_if_32bit.name)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "skipif\n"
