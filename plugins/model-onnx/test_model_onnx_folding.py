"""Scaling before a linear model is in the file's coefficients, and its answers are the same."""

from __future__ import annotations

import numpy as np
import onnx
import pyarrow as pa
import pytest
from sklearn import linear_model
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from interlock_hookspecs import Field, Signature
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_onnx import OnnxModel
from interlock_model_onnx.folding import _LINEAR, folded

NAMES = ("a", "b", "c")
SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler((-1, 3)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
]
FAR = 1e-4
"""A score of the file differs from the estimator's by a float's digits."""


def numbers(center=3.0):
    """Rows, and their classes."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(200, 3)) * [1.0, 5.0, 0.2] + center * np.array([1.0, -5.0, 0.2])
    return matrix, (matrix[:, 0] + rng.normal(size=200) > center).astype(int)


def made(name):
    """A linear model by its name, fitted soon."""
    given = {"SGDClassifier": {"loss": "log_loss", "random_state": 0}}
    return getattr(linear_model, name)(**given.get(name, {}))


def scores(fitted, matrix):
    """As an estimator has them, one number a row."""
    if hasattr(fitted, "predict_proba"):
        return fitted.predict_proba(matrix)[:, 1]
    return fitted.predict(matrix)


def written(fitted, tmp_path):
    """The model's operators, and what it says of rows."""
    ws = LocalWorkspace(tmp_path, openers={"onnx": OnnxModel()})
    binary = hasattr(fitted, "predict_proba")
    signature = Signature(
        kind="binary" if binary else "regression",
        inputs=tuple(Field(name=name, type="double") for name in NAMES),
        outputs=(Field(name="score" if binary else "prediction", type="double", nullable=False),),
        classes=(0, 1) if binary else (),
        positive=1 if binary else None,
    )
    model = ws.write_model("onnx", fitted, signature)
    graph = onnx.load_model_from_string(ws.locate(model.artifact).read_bytes()).graph
    predictor = ws.open_model(model)

    def predict(matrix):
        table = pa.table(dict(zip(NAMES, matrix.T, strict=True)))
        return predictor.predict(table).column(0).to_numpy()

    return [node.op_type for node in graph.node], predict


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of defaults that will be others
@pytest.mark.parametrize("scaler", SCALERS, ids=str)
@pytest.mark.parametrize("name", _LINEAR)
def test_a_linear_model_takes_its_scaling_in(name, scaler):
    """What is folded computes what the pipeline does, and has no step but the model."""
    matrix, target = numbers()
    pipeline = make_pipeline(scaler, made(name)).fit(matrix, target)
    before = scores(pipeline, matrix)
    alone = folded(pipeline)
    assert [each for each, _ in alone.steps] == [name.lower()]
    np.testing.assert_allclose(scores(alone, matrix), before, rtol=1e-9, atol=1e-12)
    assert np.array_equal(scores(pipeline, matrix), before)


@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge()], ids=str)
def test_a_file_has_no_operator_for_it(tmp_path, estimator):
    """Nor do its answers differ by more than a float's digits."""
    matrix, target = numbers()
    pipeline = make_pipeline(RobustScaler(), StandardScaler(), estimator).fit(matrix, target)
    operators, predict = written(pipeline, tmp_path)
    assert not {"Sub", "Div", "Mul", "Add", "Scaler"} & set(operators)
    assert np.abs(predict(matrix) - scores(pipeline, matrix)).max() <= FAR


def test_classes_that_are_several_are_taken_in_too():
    """Each has coefficients of its own."""
    matrix, target = numbers()
    target = target + (matrix[:, 1] > np.median(matrix[:, 1]))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(matrix, target)
    expected = pipeline.predict_proba(matrix)
    np.testing.assert_allclose(folded(pipeline).predict_proba(matrix), expected, rtol=1e-9)


class _Other(LogisticRegression):
    """One that may compute anything."""


@pytest.mark.parametrize(
    "steps",
    [
        [StandardScaler(), _Other()],
        [StandardScaler(), PolynomialFeatures(), LogisticRegression()],
        [MinMaxScaler(clip=True), LogisticRegression()],
        [FunctionTransformer(), LogisticRegression()],
        [LogisticRegression()],
    ],
    ids=str,
)
def test_what_is_no_scaling_or_no_linear_model_stays(steps):
    """Only what is known to be the same is changed."""
    pipeline = make_pipeline(*steps).fit(*numbers())
    assert folded(pipeline) is pipeline


def test_steps_before_the_scaling_stay():
    """Those from the last that is no scaling on."""
    steps = [MaxAbsScaler(), PolynomialFeatures(), StandardScaler(), LogisticRegression()]
    matrix, target = numbers()
    pipeline = make_pipeline(*steps).fit(matrix, target)
    short = folded(pipeline)
    assert [name for name, _ in short.steps] == [
        "maxabsscaler",
        "polynomialfeatures",
        "logisticregression",
    ]
    np.testing.assert_allclose(scores(short, matrix), scores(pipeline, matrix), rtol=1e-9)


def test_sparse_coefficients_stay():
    """They are few, and are not multiplied out."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(*numbers())
    pipeline.steps[-1][1].sparsify()
    assert folded(pipeline) is pipeline


def test_numbers_far_from_zero_keep_their_scaling(tmp_path):
    """Years, say: less their mean they are small and exact, and a float would lose that."""
    matrix, target = numbers(center=2_000.0)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=100.0)).fit(matrix, target)
    assert folded(pipeline) is pipeline
    operators, predict = written(pipeline, tmp_path)
    assert "Sub" in operators
    exact = matrix.astype(np.float32).astype(float)
    assert np.abs(predict(exact) - scores(pipeline, exact)).max() <= FAR


def test_steps_are_taken_in_while_all_of_them_are_near_together():
    """Each is near by itself, and the second makes more of the first's distance."""
    matrix, target = numbers(center=40.0)
    pipeline = make_pipeline(MinMaxScaler(), StandardScaler(), LogisticRegression())
    pipeline.fit(matrix, target)
    alone = make_pipeline(MinMaxScaler(), LogisticRegression()).fit(matrix, target)
    assert [name for name, _ in folded(alone).steps] == ["logisticregression"]
    short = folded(pipeline)
    assert [name for name, _ in short.steps] == ["minmaxscaler", "logisticregression"]
    np.testing.assert_allclose(scores(short, matrix), scores(pipeline, matrix), rtol=1e-9)


def test_an_estimator_alone_is_itself():
    """No pipeline, nothing before it."""
    fitted = LogisticRegression().fit(*numbers())
    assert folded(fitted) is fitted
    nothing = Pipeline([("none", "passthrough"), ("model", LogisticRegression())]).fit(*numbers())
    assert folded(nothing) is nothing
