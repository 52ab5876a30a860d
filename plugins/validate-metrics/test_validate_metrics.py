"""validate-metrics on candidates: scikit-learn is the oracle of values, resampling of errors."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as oracle
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from interlock_hookspecs import Check, Field, InvalidInput, Signature, Task, Unsupported
from interlock_hookspecs.conformance.validate import ValidateSuite
from interlock_validate_metrics import Metrics
from interlock_validate_metrics.estimates import wilson
from interlock_validate_metrics.model_checks import NO_CHAMPION

BINARY = Task(dataset="rows", target="y", kind="binary")
MULTICLASS = Task(dataset="rows", target="y", kind="multiclass")
REGRESSION = Task(dataset="rows", target="y", kind="regression")


class Columns:
    """A predictor whose outputs are columns of the rows it is given."""

    def __init__(self, kind: str, classes=(), positive=None, prefix: str = "") -> None:
        names = {"binary": ["score"], "regression": ["prediction"]}.get(
            kind, [f"score[{label}]" for label in classes]
        )
        self.signature = Signature(
            kind=kind,
            inputs=(),
            outputs=tuple(Field(name=name, type="double") for name in names),
            classes=classes,
            positive=positive,
        )
        self.prefix = prefix
        self.asked = 0

    def predict(self, rows: pa.Table) -> pa.Table:
        self.asked += 1
        return pa.table(
            {field.name: rows[self.prefix + field.name] for field in self.signature.outputs}
        )


TWO = Columns("binary", classes=(0, 1), positive=1)


def measured(predictor, heldout, task, *, training=None, champion=None) -> dict[str, Check]:
    """The checks of a candidate by their labels."""
    rows = heldout if training is None else training
    found = Metrics().check_model(predictor, heldout, rows, task, champion)
    labels = [check.label for check in found]
    assert len(labels) == len(set(labels))
    return {check.label: check for check in found}


def binary_rows(n: int = 2000, seed: int = 0, classes=(0, 1)) -> pa.Table:
    """Labels and calibrated scores with many ties."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.beta(0.8, 1.2, n), 2)
    return pa.table(
        {"y": pa.array([classes[int(v)] for v in rng.random(n) < scores]), "score": scores}
    )


def multiclass_rows(n: int = 1500, seed: int = 0) -> pa.Table:
    """Labels of four classes, one rare, and scores that sum to one."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet([2.0, 1.5, 1.0, 0.1], n)
    y = [rng.choice(list("abcd"), p=row) for row in scores]
    return pa.table({"y": y} | {f"score[{c}]": scores[:, i] for i, c in enumerate("abcd")})


def regression_rows(n: int = 1000, seed: int = 0) -> pa.Table:
    """Numbers and predictions with a skewed error."""
    rng = np.random.default_rng(seed)
    y = rng.normal(3, 2, n)
    return pa.table({"y": y, "prediction": y + rng.gamma(2, 0.5, n) - 0.7})


def test_binary_metrics_equal_scikit_learn() -> None:
    """Each binary metric is scikit-learn's, on scores with ties."""
    rows = binary_rows()
    y, score = rows["y"].to_numpy(), rows["score"].to_numpy()
    called = score >= 0.5
    found = measured(TWO, rows, BINARY)
    expected = {
        "accuracy": oracle.accuracy_score(y, called),
        "precision": oracle.precision_score(y, called),
        "recall": oracle.recall_score(y, called),
        "f1": oracle.f1_score(y, called),
        "roc_auc": oracle.roc_auc_score(y, score),
        "log_loss": oracle.log_loss(y, score),
        "brier": oracle.brier_score_loss(y, score),
        "calibration_in_the_large": score.mean() - y.mean(),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-12)
    assert all(check.low <= check.value <= check.high for check in found.values() if check.low)


def test_multiclass_metrics_equal_scikit_learn() -> None:
    """Each multiclass metric is scikit-learn's; the averaging is in its name."""
    rows = multiclass_rows()
    y = np.array(rows["y"].to_pylist())
    scores = np.column_stack([rows[f"score[{c}]"].to_numpy() for c in "abcd"])
    called = np.array(list("abcd"))[scores.argmax(axis=1)]
    found = measured(Columns("multiclass", tuple("abcd")), rows, MULTICLASS)
    expected = {
        "accuracy": oracle.accuracy_score(y, called),
        "log_loss": oracle.log_loss(y, scores),
        "roc_auc_ovr_macro": oracle.roc_auc_score(y, scores, multi_class="ovr"),
    }
    for how in ("macro", "weighted"):
        for of in ("precision", "recall", "f1"):
            score = getattr(oracle, f"{of}_score")
            expected[f"{of}_{how}"] = score(y, called, average=how, zero_division=0)
    expected["accuracy"] = expected.pop("recall_weighted")
    recalls = oracle.recall_score(y, called, average=None, zero_division=0)
    expected |= {f"recall[{c}]": value for c, value in zip("abcd", recalls, strict=True)}
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-12)


def test_regression_metrics_equal_scikit_learn() -> None:
    """Each regression metric is scikit-learn's."""
    rows = regression_rows()
    y, p = rows["y"].to_numpy(), rows["prediction"].to_numpy()
    found = measured(Columns("regression"), rows, REGRESSION)
    expected = {
        "r2": oracle.r2_score(y, p),
        "rmse": oracle.root_mean_squared_error(y, p),
        "mae": oracle.mean_absolute_error(y, p),
        "median_ae": oracle.median_absolute_error(y, p),
        "mean_error": (p - y).mean(),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-12)


def test_calibration_error_is_counted_by_bins() -> None:
    """The expected calibration error is the weighted distance of mean score and share by bin."""
    rows = pa.table({"y": [0, 1, 1, 1], "score": [0.1, 0.1, 0.9, 1.0]})
    check = measured(TWO, rows, BINARY)["calibration_error"]
    assert check.value == pytest.approx((2 * 0.4 + 2 * 0.05) / 4)
    calibrated = measured(TWO, binary_rows(20_000), BINARY)["calibration_error"]
    assert calibrated.value < 0.02
    assert calibrated.low < 0.005


def test_a_metric_that_is_not_defined_says_why() -> None:
    """0/0 is no value but a reason; the rest is measured all the same."""
    rows = pa.table({"y": [0, 0, 0], "score": [0.1, 0.2, 0.3]})
    found = measured(TWO, rows, BINARY)
    for name in ("precision", "recall", "f1", "roc_auc", "overfit_gap"):
        assert found[name].value is None
        assert found[name].reason
    assert found["accuracy"].value == 1.0


def test_a_perfect_ranking_is_not_certain() -> None:
    """ROC AUC 1 on few rows has an interval that says how few."""
    rows = pa.table({"y": [0] * 20 + [1] * 10, "score": [0.1] * 20 + [0.9] * 10})
    check = measured(TWO, rows, BINARY)["roc_auc"]
    assert (check.value, check.high) == (1.0, 1.0)
    assert check.low == pytest.approx(wilson(10, 10)[0])


def test_an_unpruned_tree_has_a_gap() -> None:
    """A tree that learned its rows by heart is seen: its train/held-out gap is wide."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 4))
    y = (x[:, 0] + rng.normal(0, 1.5, 3000) > 0).astype(int)
    tree = DecisionTreeClassifier(random_state=0).fit(x[:2000], y[:2000])
    scores = tree.predict_proba(x)[:, 1]
    rows = pa.table({"y": y, "score": scores})
    gap = measured(TWO, rows.slice(2000), BINARY, training=rows.slice(0, 2000))["overfit_gap"]
    train, held = (oracle.roc_auc_score(y[s], scores[s]) for s in (slice(2000), slice(2000, None)))
    assert gap.value == pytest.approx(train - held)
    assert gap.low > 0.3
    assert "not seen" in gap.concern
    assert gap.facts["metric"] == "roc_auc"


def test_the_gaps_interval_adds_both_variances() -> None:
    """Training and held-out rows are different rows: the squares of both half-widths add up."""
    held, seen = binary_rows(500, seed=1), binary_rows(300, seed=2)
    gap = measured(TWO, held, BINARY, training=seen)["overfit_gap"]
    parts = [measured(TWO, rows, BINARY)["roc_auc"] for rows in (held, seen)]
    halves = [(part.high - part.low) / 2 for part in parts]
    assert (gap.high - gap.low) / 2 == pytest.approx(math.hypot(*halves))


def test_each_set_of_rows_is_scored_once() -> None:
    """The candidate scores held-out and training rows once each, the champion the former once."""
    candidate, champion = (Columns("binary", classes=(0, 1), positive=1) for _ in range(2))
    measured(candidate, binary_rows(), BINARY, champion=champion)
    assert (candidate.asked, champion.asked) == (2, 1)


def test_lift_over_the_trivial_model() -> None:
    """The lift is the share of the trivial model's squared error taken away; R2 for numbers."""
    rows = binary_rows()
    y = rows["y"].to_numpy()
    base = pa.table({"y": y, "score": np.full(len(y), y.mean())})
    assert measured(TWO, base, BINARY)["lift_over_baseline"].value == pytest.approx(0)
    upside_down = pa.table({"y": y, "score": 1 - rows["score"].to_numpy()})
    worse = measured(TWO, upside_down, BINARY)["lift_over_baseline"]
    assert worse.value < 0
    assert "no better" in worse.concern
    numbers = regression_rows()
    found = measured(Columns("regression"), numbers, REGRESSION)
    assert found["lift_over_baseline"].value == pytest.approx(found["r2"].value)
    assert found["lift_over_baseline"].low == pytest.approx(found["r2"].low)


def test_the_champion_is_compared_on_the_same_rows() -> None:
    """A difference is candidate less champion, and its interval that of pairs, not of two sets."""
    rng = np.random.default_rng(5)
    rows = binary_rows(4000)
    rows = rows.append_column(
        "old score", pa.array(np.clip(rows["score"].to_numpy() + rng.normal(0, 0.1, 4000), 0, 1))
    )
    champion = Columns("binary", classes=(0, 1), positive=1, prefix="old ")
    found = measured(TWO, rows, BINARY, champion=champion)
    check = found["champion_difference[roc_auc]"]
    y = rows["y"].to_numpy()
    assert check.value == pytest.approx(
        oracle.roc_auc_score(y, rows["score"]) - oracle.roc_auc_score(y, rows["old score"])
    )
    alone = found["roc_auc"]
    assert 0 < check.high - check.low < (alone.high - alone.low) / 2
    assert check.facts["champion"] is True


def test_no_champion_is_no_difference() -> None:
    """A first model is compared with nothing: 0, and the check says that it is so."""
    check = measured(TWO, binary_rows(), BINARY)["champion_difference[roc_auc]"]
    assert (check.value, check.reason, check.low) == (0.0, NO_CHAMPION, None)
    assert check.facts["champion"] is False


def test_a_champion_that_cannot_score_leaves_no_difference() -> None:
    """A champion that wants a column the rows lack is said to; the candidate is measured."""

    class Broken(Columns):
        def predict(self, rows: pa.Table) -> pa.Table:
            msg = f"column 'AGEP' is missing from {rows.num_columns}"
            raise InvalidInput(msg)

    found = measured(TWO, binary_rows(), BINARY, champion=Broken("binary", (0, 1), 1))
    check = found["champion_difference[accuracy]"]
    assert check.value is None
    assert "AGEP" in check.reason
    assert found["accuracy"].value is not None


def test_champion_difference_of_every_kind() -> None:
    """Multiclass and regression champions are compared too."""
    many, numbers = Columns("multiclass", tuple("abcd")), Columns("regression")
    found = measured(many, multiclass_rows(), MULTICLASS, champion=many)
    assert found["champion_difference[f1_macro]"].value == 0
    found = measured(numbers, regression_rows(), REGRESSION, champion=numbers)
    assert found["champion_difference[rmse]"].value == 0


@pytest.mark.parametrize(
    ("classes", "positive"), [(("no", "yes"), "yes"), ((False, True), True), ((1, 2), 1)]
)
def test_labels_of_any_type(classes, positive) -> None:
    """Text, truth values and numbers are labels; ``positive`` says which one counts."""
    task = Task(dataset="rows", target="y", kind="binary", positive=positive)
    flipped = positive == classes[0]
    plain = binary_rows()
    rows = binary_rows(classes=classes[::-1] if flipped else classes)
    model = Columns("binary", classes=classes, positive=positive)
    encoded = rows.set_column(0, "y", rows["y"].dictionary_encode())
    expected = {label: check.value for label, check in measured(TWO, plain, BINARY).items()}
    for table in (rows, encoded):
        found = measured(model, table, task)
        assert {label: check.value for label, check in found.items()} == expected


def test_the_tasks_threshold_decides() -> None:
    """A row at the threshold is positive; the threshold is the task's."""
    rows = pa.table({"y": [0, 1, 1], "score": [0.2, 0.3, 0.9]})
    task = Task(dataset="rows", target="y", kind="binary", threshold=0.3)
    assert measured(TWO, rows, task)["accuracy"].value == 1.0


def test_a_class_that_the_model_does_not_know_counts_as_wrong() -> None:
    """Rows of a class that came after training are wrong; what needs its score has none."""
    rows = pa.table(
        {"y": ["a", "b", "z"], "score[a]": [0.9, 0.2, 0.5], "score[b]": [0.1, 0.8, 0.5]}
    )
    found = measured(Columns("multiclass", ("a", "b")), rows, MULTICLASS)
    assert found["accuracy"].value == pytest.approx(2 / 3)
    assert found["recall_macro"].value == pytest.approx(2 / 3)
    assert found["log_loss"].value is None
    assert "does not know" in found["roc_auc_ovr_macro"].reason


def test_few_rows_of_a_class_have_no_macro_interval() -> None:
    """The delta method is too sure of a class with a handful of rows: there is no interval then."""
    found = measured(Columns("multiclass", tuple("abcd")), multiclass_rows(), MULTICLASS)
    assert found["f1_macro"].value is not None
    assert (found["f1_macro"].low, found["f1_macro"].high) == (None, None)
    assert "fewer than 10" in found["f1_macro"].method
    assert found["f1_weighted"].low is not None


def test_sets_that_ship_with_scikit_learn() -> None:
    """A logistic regression on iris and a linear one on diabetes are measured as they are."""
    x, y = load_iris(return_X_y=True)
    p = LogisticRegression(max_iter=500).fit(x[::2], y[::2]).predict_proba(x)
    rows = pa.table({"y": y} | {f"score[{c}]": p[:, c] for c in range(3)})
    found = measured(Columns("multiclass", (0, 1, 2)), rows, MULTICLASS)
    assert found["accuracy"].value > 0.9
    x, y = load_diabetes(return_X_y=True)
    rows = pa.table({"y": y, "prediction": LinearRegression().fit(x, y).predict(x)})
    assert measured(Columns("regression"), rows, REGRESSION)["r2"].value > 0.5


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pa.table({"y": [0, 1], "score": [0.5, math.nan]}), "no finite 'score' for 1 of 2"),
        (pa.table({"y": [0, 1], "score": [0.5, 7.0]}), "not within 0 and 1"),
        (pa.table({"y": [0, None], "score": [0.5, 0.5]}), "null, NaN or infinite in 1 of 2"),
        (pa.table({"x": [0, 1], "score": [0.5, 0.5]}), "no column 'y'"),
        (pa.table({"y": [0, 1], "score": [0.5, 0.5]}).slice(0, 0), "no held-out rows"),
    ],
)
def test_what_cannot_be_measured_is_refused(rows: pa.Table, said: str) -> None:
    """Missing labels, missing rows and unusable scores are errors, not numbers."""
    with pytest.raises(InvalidInput, match=said):
        measured(TWO, rows, BINARY)


def test_another_kind_is_refused() -> None:
    """A kind that is not measured here, or a model of another kind, is named."""
    with pytest.raises(Unsupported, match="'ranking'"):
        measured(TWO, binary_rows(), Task(dataset="rows", target="y", kind="ranking"))
    with pytest.raises(InvalidInput, match="'binary', the task of kind 'multiclass'"):
        measured(TWO, binary_rows(), MULTICLASS)


def test_neither_scikit_learn_nor_scipy_is_imported() -> None:
    """Measuring needs numpy and pyarrow only; importing the plugin needs neither."""
    program = """
import sys
import interlock_validate_metrics as plugin
assert not {"numpy", "pyarrow"} & set(sys.modules)
import pyarrow as pa
from interlock_hookspecs import Field, Signature, Task
class Predictor:
    signature = Signature(kind="binary", inputs=(), outputs=(), classes=(0, 1), positive=1)
    def predict(self, rows):
        return rows.select(["score"])
rows = pa.table({"y": [0, 1, 0, 1] * 5, "score": [0.2, 0.8, 0.6, 0.4] * 5})
task = Task(dataset="rows", target="y")
plugin.Metrics().check_data(rows, task, rows)
plugin.Metrics().check_model(Predictor(), rows, rows, task, None)
assert not {"sklearn", "scipy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


class TestMetrics(ValidateSuite):
    """Every promise that the contract makes of a validator."""

    @pytest.fixture
    def plugin(self):
        return Metrics()
