"""Training with scikit-learn. The models are written and opened by model-skops, in tests only."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from interlock_hookspecs import Field, InvalidInput, Task
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel
from interlock_model_skops.allowed import BY_LOADER
from interlock_train_sklearn import SklearnTrainer
from interlock_train_sklearn.preparation import prepare
from interlock_train_sklearn.rows import read_features

SOURCES = {"binary": load_breast_cancer, "multiclass": load_iris, "regression": load_diabetes}


def workspace(folder, **project):
    return LocalWorkspace(folder, openers={"skops": SkopsModel()}, project=project)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small fits wait for one another's threads on a busy machine."""
    with threadpool_limits(1, "openmp"):
        yield


@pytest.fixture
def ws(tmp_path):
    return workspace(tmp_path)


def plain_rows(kind):
    """A table of numbers that ships with scikit-learn, with an id beside them."""
    features, target = SOURCES[kind](return_X_y=True)
    columns = {f"x{place}": features[:, place] for place in range(4)}
    return pa.table({"id": range(len(target)), **columns, "y": target})


def mixed_rows(rows=240):
    """Numbers, text, a dictionary, Booleans and integers with nulls, and what they make likely."""
    random = np.random.default_rng(0)
    city = random.choice(["Boston", "Lowell", "Salem"], rows)
    age = random.uniform(18, 80, rows)
    likely = (city == "Lowell") * 2.0 + (age > 40) + random.normal(0, 0.3, rows)
    holes = random.random(rows) < 0.1
    return pa.table(
        {
            "id": range(rows),
            "age": pa.array(age, mask=holes),
            "city": pa.array(city, mask=random.random(rows) < 0.1).dictionary_encode(),
            "level": pa.array(random.choice(["10", "9", "1"], rows)),
            "rooms": pa.array(random.integers(1, 6, rows), pa.int16(), mask=holes[::-1]),
            "owner": pa.array(random.random(rows) < 0.5),
            "year": [2015] * rows,
            "binary": pa.array(np.where(likely > 1.2, "yes", "no")),
            "multiclass": pa.array(np.digitize(likely, [0.7, 1.7])),
            "regression": pa.array(likely),
        }
    )


def mixed_task(kind, **more):
    others = {"binary", "multiclass", "regression"} - {kind}
    given = {"positive": "yes"} if kind == "binary" else {}
    return Task(
        dataset="rows",
        target=kind,
        kind=kind,
        id="id",
        time="year",
        exclude=tuple(sorted(others)),
        **{**given, **more},
    )


def task(kind="binary", **more):
    return Task(**{"dataset": "rows", "target": "y", "kind": kind, "id": "id", **more})


FITS = [
    ("binary", ""),
    ("binary", "sklearn.tree.DecisionTreeClassifier"),
    ("binary", "sklearn.ensemble.RandomForestClassifier"),
    ("binary", "sklearn.ensemble.GradientBoostingClassifier"),
    ("binary", "sklearn.linear_model.LogisticRegression"),
    ("multiclass", ""),
    ("multiclass", "sklearn.ensemble.GradientBoostingClassifier"),
    ("multiclass", "sklearn.linear_model.LogisticRegression"),
    ("regression", ""),
    ("regression", "sklearn.tree.DecisionTreeRegressor"),
    ("regression", "sklearn.ensemble.GradientBoostingRegressor"),
    ("regression", "sklearn.linear_model.Ridge"),
]


def small(path):
    name = path or "HistGradientBoosting"
    if "Forest" in name or ".Gradient" in name:
        return {"n_estimators": 10}
    if "Logistic" in name:
        return {"max_iter": 5000}
    return {"max_iter": 20} if "Hist" in name else {}


@pytest.mark.parametrize(("kind", "path"), FITS)
@pytest.mark.filterwarnings("error")
def test_mixed_columns_are_learnt_from_by_every_family(ws, kind, path):
    """Numbers, categories and holes go in as they are, and what was learnt comes out again."""
    rows = mixed_rows()
    trainer = SklearnTrainer(estimator=path, parameters=small(path))
    candidate = trainer.fit_candidate(rows, mixed_task(kind), ws)
    found = ws.open_model(candidate.model).predict(rows)
    if kind == "binary":
        assert roc_auc_score(rows["binary"].to_numpy() == "yes", found["score"].to_numpy()) > 0.85
    elif kind == "multiclass":
        chosen = np.argmax(np.column_stack([column.to_numpy() for column in found.columns]), 1)
        assert (chosen == rows["multiclass"].to_numpy()).mean() > 0.65
    else:
        spread = np.corrcoef(rows["regression"].to_numpy(), found["prediction"].to_numpy())
        assert spread[0, 1] > 0.75


@pytest.mark.parametrize(("kind", "path"), FITS)
def test_unseen_categories_and_missing_values_are_scored(ws, kind, path):
    """A served row may hold a category that training never saw, and nulls anywhere."""
    rows = mixed_rows()
    trainer = SklearnTrainer(estimator=path, parameters=small(path))
    predictor = ws.open_model(trainer.fit_candidate(rows, mixed_task(kind), ws).model)
    strange = pa.table(
        {
            "age": pa.nulls(2),
            "city": ["Atlantis", None],
            "level": ["11", None],
            "rooms": pa.nulls(2),
            "owner": pa.nulls(2),
        }
    )
    found = predictor.predict(strange)
    for column in found.columns:
        first, second = column.to_pylist()
        assert np.isfinite([first, second]).all()
        if path != "sklearn.linear_model.LogisticRegression" and "Ridge" not in path:
            assert first == second  # unknown counts as missing


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_table_of_numbers_is_given_to_the_estimator_as_it_is(ws, kind):
    """No pipeline is put around an estimator that needs none: the fit is the plain one."""
    rows = plain_rows(kind)
    path = "sklearn.tree.DecisionTree" + ("Regressor" if kind == "regression" else "Classifier")
    candidate = SklearnTrainer(estimator=path).fit_candidate(rows, task(kind), ws)
    assert candidate.model.facts["estimator"].startswith("sklearn.tree._classes.DecisionTree")
    found = ws.open_model(candidate.model).predict(rows)
    outputs = ["score"] if kind == "binary" else [f"score[{place}]" for place in range(3)]
    assert found.column_names == (["prediction"] if kind == "regression" else outputs)


def test_the_model_equals_the_one_of_identical_calls(ws):
    """The default fit is scikit-learn's own, and scores what a plain script's would."""
    rows = plain_rows("binary")
    candidate = SklearnTrainer().fit_candidate(rows, task(), ws)
    matrix = np.column_stack([rows[f"x{place}"].to_numpy() for place in range(4)])
    plain = HistGradientBoostingClassifier(random_state=0).fit(matrix, rows["y"].to_numpy())
    found = ws.open_model(candidate.model).predict(rows)["score"].to_numpy()
    assert np.array_equal(found, plain.predict_proba(matrix)[:, 1])


def test_the_candidate_says_what_was_fitted(ws):
    """Estimator, parameters, rows, seed and facts are plain values of the fit."""
    trainer = SklearnTrainer(
        estimator="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 3}
    )
    candidate = trainer.fit_candidate(plain_rows("binary"), task(seed=7), ws)
    assert candidate.estimator == "sklearn.tree.DecisionTreeClassifier"
    assert dict(candidate.parameters) == {"max_depth": 3}
    assert (candidate.rows, candidate.seed, candidate.scores) == (569, 7, ())
    assert candidate.facts["features"] == 4
    assert candidate.facts["scikit-learn"]


def test_the_signature_names_inputs_outputs_id_and_time(ws):
    """Features in the table's order with logical types; id and time beside them."""
    candidate = SklearnTrainer(parameters={"max_iter": 2}).fit_candidate(
        mixed_rows(), mixed_task("binary"), ws
    )
    signature = candidate.model.signature
    assert [(field.name, field.type) for field in signature.inputs] == [
        ("age", "double"),
        ("city", "string"),
        ("level", "string"),
        ("rooms", "int16"),
        ("owner", "bool"),
    ]
    assert (signature.classes, signature.positive) == (("no", "yes"), "yes")
    assert signature.id == Field(name="id", type="int64", nullable=False)
    assert signature.time == Field(name="year", type="int64", nullable=False)


@pytest.mark.parametrize("positive", [0, 1])
def test_the_score_is_the_positive_classs(ws, positive):
    """Whichever class is positive, its rows score high."""
    rows = plain_rows("binary")
    candidate = SklearnTrainer().fit_candidate(rows, task(positive=positive), ws)
    scores = ws.open_model(candidate.model).predict(rows)["score"].to_numpy()
    assert roc_auc_score(rows["y"].to_numpy() == positive, scores) > 0.95


def test_folds_are_scored_and_shown(ws):
    """Each fold gives one value a metric, and progress is said."""
    trainer = SklearnTrainer(
        estimator="sklearn.tree.DecisionTreeClassifier",
        folds=3,
        scoring=("roc_auc", "f1", "recall", "neg_brier_score", "average_precision"),
    )
    candidate = trainer.fit_candidate(mixed_rows(), mixed_task("binary"), ws)
    assert [score.name for score in candidate.scores] == list(trainer.scoring)
    assert all(len(score.folds) == 3 for score in candidate.scores)
    assert ws.messages.count("cross-validating") == 4
    assert ws.messages[-1] == "fitting DecisionTreeClassifier to 240 rows of 5 features"


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_every_kind_has_metrics_of_its_own(ws, kind):
    """Without names, folds are scored by metrics that suit the kind."""
    candidate = SklearnTrainer(folds=2, parameters={"max_iter": 3}).fit_candidate(
        plain_rows(kind), task(kind), ws
    )
    assert len(candidate.scores) == 2


def test_cross_validation_changes_nothing_in_the_model(ws):
    """The final fit starts from a fresh clone."""
    rows = plain_rows("multiclass")
    plain, folded = (
        SklearnTrainer(folds=folds, parameters={"max_iter": 3}).fit_candidate(
            rows, task("multiclass"), ws
        )
        for folds in (0, 2)
    )
    assert plain.model.digest == folded.model.digest


@pytest.mark.parametrize("path", [path for kind, path in FITS if kind == "binary"])
def test_threads_and_order_of_reading_do_not_change_the_model(ws, path):
    """Chunks, dictionary encoding and threads leave the digest as it is."""
    rows = mixed_rows()
    parts = pa.concat_tables([rows.slice(0, 100), rows.slice(100)])
    parts = parts.set_column(2, "city", parts["city"].cast(pa.large_string()))
    digests = {
        SklearnTrainer(estimator=path, parameters=small(path), threads=threads)
        .fit_candidate(table, mixed_task("binary"), ws)
        .model.digest
        for threads, table in ((0, rows), (2, parts))
    }
    assert len(digests) == 1


PROGRAM = """
import pathlib, sys, time
clock, local = time.time, time.localtime
time.time = lambda: clock() + {shift}
time.localtime = lambda at=None: local(time.time() if at is None else at)
sys.path[:0] = [{folder!r}]
import test_train_sklearn as t
ws = t.workspace(pathlib.Path("kept"))
for kind, path in t.FITS:
    trainer = t.SklearnTrainer(estimator=path, parameters=t.small(path))
    print(trainer.fit_candidate(t.mixed_rows(), t.mixed_task(kind), ws).model.digest)
"""


def test_every_family_is_the_same_in_any_process(tmp_path):
    """Hash seeds, threads, folders and days of other processes leave all digests as they are."""

    def digests(name, seed, threads, shift):
        folder = tmp_path / name
        folder.mkdir()
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": threads,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        program = PROGRAM.format(folder=os.path.dirname(__file__), shift=shift)  # noqa: PTH120  (a text)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    first = digests("a", "1", "1", 0)
    assert len(first) == len(FITS)
    assert digests("b", "2", "2", 7 * 86_400) == first


def test_numbers_may_be_named_categories(ws):
    """A column of codes that the stack names is encoded, and unknown codes are missing ones."""
    rows = plain_rows("binary").set_column(1, "x0", pa.array(np.arange(569) % 3))
    trainer = SklearnTrainer(
        estimator="sklearn.linear_model.LogisticRegression",
        parameters={"max_iter": 5000},
        categorical=("x0",),
    )
    predictor = ws.open_model(trainer.fit_candidate(rows, task(), ws).model)
    assert predictor.predict(rows.slice(0, 2).set_column(1, "x0", pa.array([99, 98]))).num_rows == 2
    with pytest.raises(InvalidInput, match="'nope'"):
        SklearnTrainer(categorical=("nope",)).fit_candidate(rows, task(), ws)


def test_the_project_may_give_an_estimator_a_class_or_a_function(tmp_path):
    """All three are fitted from a fresh clone, with the parameters of the stack."""
    mine = DecisionTreeClassifier(max_depth=5)
    ws = workspace(
        tmp_path,
        instance=mine,
        kind=DecisionTreeClassifier,
        make=lambda: DecisionTreeClassifier(min_samples_leaf=2),
    )
    for name in ("instance", "kind", "make"):
        trainer = SklearnTrainer(estimator=f"project:{name}", parameters={"max_depth": 2})
        candidate = trainer.fit_candidate(plain_rows("binary"), task(), ws)
        assert candidate.parameters["max_depth"] == 2
    assert mine.max_depth == 5
    assert not hasattr(mine, "tree_")


def test_a_pipeline_of_the_project_prepares_its_columns_itself(tmp_path):
    """Nothing is put before a pipeline; parts are reached by their names."""
    ws = workspace(
        tmp_path, make=lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    )
    trainer = SklearnTrainer(
        estimator="project:make", parameters={"logisticregression__C": 0.5}, threads=2
    )
    candidate = trainer.fit_candidate(plain_rows("binary"), task(), ws)
    assert candidate.model.facts["estimator"] == "sklearn.pipeline.Pipeline"
    assert ws.open_model(candidate.model).predict(plain_rows("binary")).num_rows == 569


def test_warnings_of_scikit_learn_are_logged(ws, caplog):
    """A fit that did not converge is said once, in the log."""
    trainer = SklearnTrainer(
        estimator="sklearn.linear_model.LogisticRegression", parameters={"max_iter": 2}
    )
    trainer.fit_candidate(plain_rows("binary"), task(), ws)
    assert "scikit-learn: lbfgs failed to converge" in caplog.text


def test_numbers_spelt_as_text_keep_their_order(ws):
    """Categories that are numbers are coded in the order of their values."""
    rows = mixed_rows()
    candidate = SklearnTrainer(parameters={"max_iter": 2}).fit_candidate(
        rows, mixed_task("binary"), ws
    )
    model = skops.io.load(
        ws.locate(candidate.model.artifact), trusted=sorted(set().union(*BY_LOADER.values()))
    )
    encoder = model.named_steps["columns"].named_transformers_["categories"]
    assert encoder.categories_[1].tolist() == ["1", "9", "10"]


def test_the_first_step_is_what_a_plain_fit_makes():
    """The step that is fitted to one row encodes as one that was fitted to all."""
    features = read_features(mixed_rows(), mixed_task("binary"))
    for estimator in (HistGradientBoostingClassifier(), GradientBoostingClassifier()):
        prepared = prepare(features, estimator, ("rooms",))
        matrix = prepared.encoder.transform(features.matrix()).astype(float)
        assert np.array_equal(matrix, prepared.matrix, equal_nan=True)


def test_regression_by_least_squares_is_exact(ws):
    """A line is found as scikit-learn finds it."""
    rows = pa.table({"id": range(9), "x": np.arange(9.0), "y": np.arange(9.0) * 2 + 1})
    trainer = SklearnTrainer(estimator="sklearn.linear_model.LinearRegression")
    candidate = trainer.fit_candidate(rows, task("regression"), ws)
    plain = LinearRegression().fit(np.arange(9.0)[:, None], np.arange(9.0) * 2 + 1)
    found = ws.open_model(candidate.model).predict(rows)["prediction"].to_numpy()
    assert np.allclose(found, plain.predict(np.arange(9.0)[:, None]))
