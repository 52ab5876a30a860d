"""validate-fairness: fairlearn is the oracle of values, scipy and repetition of intervals."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from fairlearn import metrics as oracle
from scipy import stats
from sklearn.metrics import accuracy_score, mean_absolute_error

from interlock_hookspecs import (
    Check,
    Field,
    InvalidInput,
    Signature,
    Task,
    Unsupported,
)
from interlock_hookspecs.conformance.validate import ValidateSuite
from interlock_validate_fairness import Fairness
from interlock_validate_fairness.measures import Measured, difference, ratio

TASK = Task(dataset="rows", target="y", kind="binary", sensitive=("sex", "race"), min_group=1)


class Columns:
    """A predictor whose outputs are columns of the rows it is given."""

    def __init__(self, kind: str, outputs: list[str], classes=()) -> None:
        self.signature = Signature(
            kind=kind,
            inputs=(),
            outputs=tuple(Field(name=name, type="double") for name in outputs),
            classes=classes,
            positive=classes[-1] if kind == "binary" else None,
        )

    def predict(self, rows: pa.Table) -> pa.Table:
        return rows.select([field.name for field in self.signature.outputs])


TWO = Columns("binary", ["score"], (0, 1))


def people(n: int = 3000, seed: int = 0) -> pa.Table:
    """Rows of two sexes and four races, one of them rare, with labels and scores."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(1, 3, n)
    race = rng.choice([1, 2, 6, 10], n, p=[0.6, 0.25, 0.14, 0.01])
    score = np.clip(rng.beta(2, 2, n) + 0.05 * sex - 0.02 * race, 0, 1)
    return pa.table(
        {
            "sex": sex,
            "race": pa.array(race.astype(str)).dictionary_encode(),
            "y": (rng.random(n) < score).astype(int),
            "score": score,
        }
    )


def checks(rows: pa.Table, task: Task = TASK, predictor=TWO, **settings) -> dict[str, Check]:
    """The checks of a candidate by their labels."""
    found = Fairness(**settings).check_model(predictor, rows, rows, task, None)
    assert len({check.label for check in found}) == len(found)
    return {check.label: check for check in found}


def test_rates_of_groups_equal_fairlearn() -> None:
    """Selection, true and false positive rates of each group and pair of groups are fairlearn's."""
    rows = people()
    y, called = rows["y"].to_numpy(), (rows["score"].to_numpy() >= 0.5).astype(int)
    sex, race = rows["sex"].to_numpy().astype(str), np.array(rows["race"].to_pylist())
    found = checks(rows)
    frame = oracle.MetricFrame(
        metrics={
            "selection_rate": oracle.selection_rate,
            "tpr": oracle.true_positive_rate,
            "fpr": oracle.false_positive_rate,
        },
        y_true=y,
        y_pred=called,
        sensitive_features={"sex": sex, "race": race},
    )
    for (one, other), values in frame.by_group.iterrows():
        for name, value in values.items():
            assert found[f"{name}[sex={one}&race={other}]"].value == pytest.approx(value, abs=1e-12)
    alone = oracle.MetricFrame(
        metrics=oracle.selection_rate, y_true=y, y_pred=called, sensitive_features=race
    )
    for group, value in alone.by_group.items():
        assert found[f"selection_rate[race={group}]"].value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("column", ["sex", "race"])
def test_comparisons_equal_fairlearn(column: str) -> None:
    """Demographic parity, equal opportunity and equalized odds of a column are fairlearn's."""
    rows = people()
    arguments = {
        "y_true": rows["y"].to_numpy(),
        "y_pred": (rows["score"].to_numpy() >= 0.5).astype(int),
        "sensitive_features": np.array(rows[column].to_pylist()),
    }
    tpr = oracle.MetricFrame(metrics=oracle.true_positive_rate, **arguments)
    expected = {
        "selection_rate_difference": oracle.demographic_parity_difference(**arguments),
        "selection_rate_ratio": oracle.demographic_parity_ratio(**arguments),
        "equal_opportunity_difference": tpr.difference(),
        "tpr_ratio": tpr.ratio(),
        "equalized_odds_difference": oracle.equalized_odds_difference(**arguments),
        "equalized_odds_ratio": oracle.equalized_odds_ratio(**arguments),
    }
    found = checks(rows)
    for name, value in expected.items():
        check = found[f"{name}[{column}]"]
        assert check.value == pytest.approx(value, abs=1e-12), name
        assert check.low <= check.value <= check.high


def test_small_groups_are_listed_and_left_out() -> None:
    """A group under the minimum has no rate, and the ratio is taken over the others."""
    rows = people()
    race = np.array(rows["race"].to_pylist())
    small = (race == "10").sum()
    task = Task(dataset="d", target="y", sensitive=("race",), min_group=int(small) + 1)
    found = checks(rows, task)
    group, whole = found["selection_rate[race=10]"], found["selection_rate_ratio[race]"]
    assert (group.value, group.n, group.undersized) == (None, small, ("race=10",))
    assert whole.undersized == ("race=10",)
    assert whole.n == len(race) - small
    kept = race != "10"
    assert whole.value == pytest.approx(
        oracle.demographic_parity_ratio(
            y_true=rows["y"].to_numpy()[kept],
            y_pred=(rows["score"].to_numpy() >= 0.5)[kept],
            sensitive_features=race[kept],
        )
    )
    assert {key for key in whole.facts if key.startswith("value[")} == {
        f"value[race={value}]" for value in (1, 2, 6)
    }


def test_a_group_of_the_minimum_size_is_measured() -> None:
    """The minimum itself is enough."""
    rows = pa.table({"sex": [1] * 5 + [2] * 4, "y": [0, 1] * 4 + [1], "score": [0.7] * 9})
    found = checks(rows, Task(dataset="d", target="y", sensitive=("sex",), min_group=5))
    assert found["selection_rate[sex=1]"].value == 1.0
    assert found["selection_rate[sex=2]"].value is None
    assert found["selection_rate_ratio[sex]"].undersized == ("sex=2",)


def test_fewer_than_two_groups_are_not_compared() -> None:
    """One measured group has nothing to be compared with: no value, and why."""
    task = Task(dataset="d", target="y", sensitive=("race",), min_group=1000)
    for name in ("selection_rate_ratio", "equalized_odds_difference"):
        check = checks(people(), task)[f"{name}[race]"]
        assert check.value is None
        assert "1 of the groups" in check.reason
        assert len(check.undersized) == 3


def test_a_group_without_positives_has_no_true_positive_rate() -> None:
    """A rate over no rows is left out and listed; rates over other rows stand."""
    rows = pa.table(
        {
            "sex": [1, 1, 2, 2, 3, 3],
            "y": [0, 1, 0, 1, 0, 0],
            "score": [0.6, 0.7, 0.2, 0.8, 0.9, 0.1],
        }
    )
    found = checks(rows, Task(dataset="d", target="y", sensitive=("sex",), min_group=1))
    assert found["tpr[sex=3]"].value is None
    assert found["tpr_ratio[sex]"].undersized == ("sex=3",)
    assert found["selection_rate_ratio[sex]"].undersized == ()


def test_rates_of_zero() -> None:
    """A rate of 0 gives the ratio 0 with an interval; 0 over 0 gives no ratio but a reason."""
    task = Task(dataset="d", target="y", sensitive=("sex",), min_group=1)
    some = pa.table(
        {"sex": [1] * 10 + [2] * 10, "y": [0, 1] * 10, "score": [0.1] * 10 + [0.9] * 10}
    )
    check = checks(some, task)["selection_rate_ratio[sex]"]
    assert (check.value, check.low) == (0.0, 0.0)
    assert 0 < check.high < 1
    none = some.set_column(2, "score", pa.array([0.1] * 20))
    check = checks(none, task)["selection_rate_ratio[sex]"]
    assert (check.value, check.reason) == (None, "the selection_rate is 0 in every group")
    assert checks(none, task)["selection_rate_difference[sex]"].value == 0


def test_no_value_is_a_group() -> None:
    """Rows without a value are the group null, listed last; 1.0 is the group 1."""
    rows = people(400).set_column(
        0, "sex", pa.array([None if i % 4 == 0 else 1.0 + i % 2 for i in range(400)])
    )
    found = checks(rows)
    groups = [
        label for label in found if label.startswith("selection_rate[sex=") and "&" not in label
    ]
    assert groups == [f"selection_rate[sex={group}]" for group in ("1", "2", "null")]
    assert found["selection_rate[sex=null]"].n == 100


def test_groups_stand_in_the_order_of_their_values() -> None:
    """Codes are ordered as the numbers they are, also where they are text."""
    found = checks(people())
    groups = [c.subject for c in found.values() if c.name == "tpr" and c.subject.startswith("race")]
    assert groups == ["race=1", "race=2", "race=6", "race=10"]


def test_too_many_groups_are_not_measured() -> None:
    """A column of many values has no value but says what to do; its pairs are not formed."""
    rows = people().append_column("age", pa.array(np.arange(3000) % 73))
    task = Task(dataset="d", target="y", sensitive=("sex", "age"), min_group=1)
    found = checks(rows, task)
    check = found["selection_rate_ratio[age]"]
    assert check.value is None
    assert "73 groups, more than max_groups = 50" in check.reason
    assert "selection_rate_ratio[sex&age]" not in found
    assert checks(rows, task, max_groups=80)["selection_rate_ratio[age]"].value is not None


def test_pairs_may_be_left_out() -> None:
    """Pairs of columns are compared unless the setting says not to."""
    assert "selection_rate_ratio[sex&race]" in checks(people())
    assert not any("&" in label for label in checks(people(), intersections=False))


def test_a_low_ratio_is_a_concern() -> None:
    """A ratio under four fifths names the two groups; one above raises nothing."""
    found = checks(people(), concern_ratio=0.99)["selection_rate_ratio[race]"]
    assert found.facts["lowest"] in found.concern
    assert found.facts["highest"] in found.concern
    assert not checks(people(), concern_ratio=0.1)["selection_rate_ratio[race]"].concern


def test_labels_of_any_type() -> None:
    """The positive class may be a word, and the lesser of the two."""
    rows = people()
    words = rows.set_column(2, "y", pa.array(np.array(["a", "b"])[1 - rows["y"].to_numpy()]))
    model = Columns("binary", ["score"], ("b", "a"))
    task = Task(dataset="d", target="y", positive="a", sensitive=("sex",), min_group=1)
    expected = checks(rows, Task(dataset="d", target="y", sensitive=("sex",), min_group=1))
    assert checks(words, task, model) == expected


def test_multiclass_groups() -> None:
    """Of several classes, accuracy is compared, and the largest gap in any class's share."""
    rng = np.random.default_rng(0)
    scores = rng.dirichlet([1, 1, 1], 900)
    sex, y = rng.integers(1, 3, 900), rng.choice(list("abc"), 900)
    outputs = {f"score[{c}]": scores[:, i] for i, c in enumerate("abc")}
    task = Task(dataset="d", target="y", kind="multiclass", sensitive=("sex",), min_group=1)
    found = checks(
        pa.table({"sex": sex, "y": y} | outputs),
        task,
        Columns("multiclass", list(outputs), tuple("abc")),
    )
    called = np.array(list("abc"))[scores.argmax(axis=1)]
    frame = oracle.MetricFrame(
        metrics=accuracy_score, y_true=y, y_pred=called, sensitive_features=sex
    )
    assert found["accuracy_ratio[sex]"].value == pytest.approx(frame.ratio())
    gaps = [abs((called[sex == 1] == c).mean() - (called[sex == 2] == c).mean()) for c in "abc"]
    assert found["selection_rate_difference[sex]"].value == pytest.approx(max(gaps))


def test_regression_groups() -> None:
    """Of numbers, predictions and errors are compared, each in the target's unit."""
    rng = np.random.default_rng(0)
    sex, y = rng.integers(1, 3, 500), rng.normal(10, 3, 500)
    predicted = y + rng.normal(0.3 * sex, 1)
    task = Task(dataset="d", target="y", kind="regression", sensitive=("sex",), min_group=1)
    found = checks(
        pa.table({"sex": sex, "y": y, "prediction": predicted}),
        task,
        Columns("regression", ["prediction"]),
    )
    frame = oracle.MetricFrame(
        metrics=mean_absolute_error, y_true=y, y_pred=predicted, sensitive_features=sex
    )
    assert found["mae[sex=2]"].value == pytest.approx(frame.by_group[2])
    assert found["mae_difference[sex]"].value == pytest.approx(frame.difference())
    error = predicted - y
    known = stats.ttest_ind(error[sex == 2], error[sex == 1], equal_var=False)
    interval = known.confidence_interval(0.95)
    check = found["mean_error_difference[sex]"]
    assert (check.low, check.high) == pytest.approx((interval.low, interval.high), rel=0.02)


def test_intervals_equal_scipys() -> None:
    """Wilson's and Katz's intervals are scipy's."""
    check = checks(people())["tpr[sex=1]"]
    known = stats.binomtest(round(check.value * check.n), check.n).proportion_ci(0.95, "wilson")
    assert (check.low, check.high) == pytest.approx((known.low, known.high))
    known = stats.contingency.relative_risk(30, 100, 60, 120).confidence_interval(0.95)
    found = ratio(Measured(0.3, 100, 0, 0, 30), Measured(0.5, 120, 0, 0, 60))
    assert found == pytest.approx((0.6, known.low, known.high))


def test_newcombes_interval_is_the_published_one() -> None:
    """56/70 against 48/80 gives 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    known = {
        hits: stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
        for hits, n in ((56, 70), (48, 80))
    }
    groups = [
        Measured(hits / n, n, known[hits].low, known[hits].high, hits)
        for hits, n in ((56, 70), (48, 80))
    ]
    assert difference(*groups) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_nothing_sensitive_is_nothing_measured() -> None:
    """Without sensitive columns there is no check."""
    assert checks(people(), Task(dataset="d", target="y")) == {}


@pytest.mark.parametrize(
    ("rows", "task", "said"),
    [
        (people(), Task(dataset="d", target="y", sensitive=("sx",)), "did you mean 'sex'"),
        (people(), Task(dataset="d", target="gone", sensitive=("sex",)), "no target 'gone'"),
        (people().slice(0, 0), TASK, "no held-out rows"),
        (people(2).set_column(3, "score", pa.array([0.5, math.nan])), TASK, "in 1 of 2"),
        (people(2).set_column(2, "y", pa.array([0, None])), TASK, "in 1 of 2"),
        (people(2).set_column(0, "sex", pa.array([[1], [2]])), TASK, "are no groups"),
    ],
)
def test_what_cannot_be_compared_is_refused(rows: pa.Table, task: Task, said: str) -> None:
    """Missing columns, labels and scores are errors, not numbers."""
    with pytest.raises(InvalidInput, match=said):
        checks(rows, task)


def test_another_kind_is_refused() -> None:
    """A kind that is not measured here is named."""
    with pytest.raises(Unsupported, match="'ranking'"):
        checks(people(), Task(dataset="d", target="y", kind="ranking", sensitive=("sex",)))


def test_neither_fairlearn_nor_scikit_learn_is_imported() -> None:
    """Counting needs numpy and pyarrow only; importing the plugin needs neither."""
    program = """
import sys
import interlock_validate_fairness as plugin
assert not {"numpy", "pyarrow"} & set(sys.modules)
import pyarrow as pa
from interlock_hookspecs import Signature, Task
class Predictor:
    signature = Signature(kind="binary", inputs=(), outputs=(), classes=(0, 1), positive=1)
    def predict(self, rows):
        return rows.select(["score"])
rows = pa.table({"y": [0, 1] * 5, "score": [0.2, 0.8] * 5, "sex": [1, 1, 2, 2, 2] * 2})
task = Task(dataset="rows", target="y", sensitive=["sex"], min_group=1)
assert plugin.Fairness().check_model(Predictor(), rows, rows, task, None)
assert not {"sklearn", "scipy", "fairlearn"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


class TestFairness(ValidateSuite):
    """Every promise that the contract makes of a validator."""

    @pytest.fixture
    def plugin(self):
        return Fairness()
