"""The performance monitor: what it measures, on which rows, and when it speaks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from interlock_hookspecs import InvalidInput, Signature, Task, Window
from interlock_hookspecs.conformance.monitor import MonitorSuite
from interlock_monitor_performance import Performance


def window(rows, end=2, as_of=2, kind="binary"):
    start = end - 1 if isinstance(end, int) else end - timedelta(days=1)
    return Window(
        rows=pa.table(rows),
        start=start,
        end=end,
        as_of=as_of,
        release="release-1",
        signature=Signature(kind=kind, inputs=(), outputs=()),
    )


def measured(plugin, served, kind="binary", **task):
    found = plugin.measure_performance(
        window=served, task=Task(dataset="made", target="y", kind=kind, **task)
    )
    return {finding.name: finding for finding in found}


def binary(n=2000, labelled=None, seed=0):
    draw = np.random.default_rng(seed)
    y = draw.integers(0, 2, n)
    score = np.round(np.clip(draw.normal(0.35 + 0.3 * y, 0.2), 0, 1), 2)
    labels = [int(v) if labelled is None or i < labelled else None for i, v in enumerate(y)]
    return {
        "score": score,
        "prediction": (score >= 0.5).astype(int),
        "y": pa.array(labels, pa.int64()),
    }


def test_binary_measures_are_those_of_scikit_learn():
    """Accuracy, precision, recall, F1 and ROC AUC equal scikit-learn's, each in its interval."""
    rows = binary()
    found = measured(Performance(), window(rows))
    y, answers = rows["y"].to_numpy(), rows["prediction"]
    expected = {
        "accuracy": metrics.accuracy_score(y, answers),
        "precision": metrics.precision_score(y, answers),
        "recall": metrics.recall_score(y, answers),
        "f1": metrics.f1_score(y, answers),
        "roc_auc": metrics.roc_auc_score(y, rows["score"]),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert all(found[name].low < value < found[name].high for name, value in expected.items())
    assert {finding.status for finding in found.values()} == {"ok"}


def test_multiclass_measures_are_those_of_scikit_learn():
    """Accuracy and the macro means equal scikit-learn's."""
    draw = np.random.default_rng(0)
    y = draw.choice(["a", "b", "c"], 1000, p=[0.6, 0.3, 0.1])
    answers = np.where(draw.random(1000) < 0.8, y, draw.choice(["a", "b", "c"], 1000))
    found = measured(
        Performance(), window({"prediction": answers, "y": y}, kind="multiclass"), "multiclass"
    )
    expected = {
        "accuracy": metrics.accuracy_score(y, answers),
        "precision_macro": metrics.precision_score(y, answers, average="macro"),
        "recall_macro": metrics.recall_score(y, answers, average="macro"),
        "f1_macro": metrics.f1_score(y, answers, average="macro"),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert all(found[name].low < value < found[name].high for name, value in expected.items())


def test_regression_measures_are_those_of_scikit_learn():
    """MAE, RMSE and R2 equal scikit-learn's; errors alert upwards."""
    draw = np.random.default_rng(0)
    y = draw.normal(10, 3, 500)
    answers = y + draw.normal(0, 1, 500)
    rows = {"prediction": answers, "y": y}
    found = measured(Performance(), window(rows, kind="regression"), "regression")
    expected = {
        "mae": metrics.mean_absolute_error(y, answers),
        "rmse": metrics.root_mean_squared_error(y, answers),
        "r2": metrics.r2_score(y, answers),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert (found["rmse"].op, found["r2"].op) == (">", "<")
    assert found["rmse"].low < found["rmse"].value < found["rmse"].high


def test_only_labelled_rows_count():
    """Rows without a label are served, not measured, and the share is told."""
    found = measured(Performance(), window(binary(labelled=500)))
    assert (found["f1"].n, found["f1"].served) == (500, 2000)
    assert found["labelled"].value == 0.25
    assert found["f1"].facts["coverage"] == 0.25


def test_a_label_that_is_nan_is_no_label():
    """A float column says by NaN what an integer column says by null."""
    y = np.where(np.arange(400) < 300, 1.0, np.nan)
    found = measured(Performance(), window({"prediction": np.ones(400), "y": y}))
    assert found["labelled"].n == 300
    assert found["accuracy"].value == 1.0


def test_a_broken_bound_alerts_and_a_kept_one_does_not():
    """A measure past its bound is an alert that names both numbers."""
    plugin = Performance(bounds={"f1": ">= 0.99", "accuracy": ">= 0.5"})
    found = measured(plugin, window(binary()))
    assert (found["f1"].status, found["f1"].op, found["f1"].threshold) == ("alert", "<", 0.99)
    assert "must be >= 0.99" in found["f1"].reason
    assert found["accuracy"].status == "ok"


def test_a_bound_on_an_error_alerts_upwards():
    """An error that is too large is past its bound."""
    rows = {"prediction": np.arange(200.0) + 2, "y": np.arange(200.0)}
    plugin = Performance(bounds={"mae": "<= 1"})
    found = measured(plugin, window(rows, kind="regression"), "regression")
    assert (found["mae"].status, found["mae"].op, found["mae"].value) == ("alert", ">", 2.0)


def test_a_bound_may_look_at_the_worse_end_of_the_interval():
    """Between the value and its lower end, only the stricter comparison alerts."""
    value = measured(Performance(), window(binary()))["f1"]
    between = {"f1": f">= {(value.value + value.low) / 2:.6f}"}
    loose = measured(Performance(bounds=between), window(binary()))
    strict = measured(Performance(bounds=between, on="interval"), window(binary()))
    assert (loose["f1"].status, strict["f1"].status) == ("ok", "alert")


def test_a_bound_on_an_interval_that_does_not_exist_is_unmeasured():
    """R2 has no interval here: a bound on one is neither kept nor broken."""
    rows = {"prediction": np.arange(200.0), "y": np.arange(200.0)}
    plugin = Performance(bounds={"r2": ">= 0.5"}, on="interval")
    found = measured(plugin, window(rows, kind="regression"), "regression")
    assert found["r2"].status == "unmeasured"


def test_a_window_that_waits_for_labels_is_immature_however_bad():
    """Before its end and label_delay have passed, nothing of a window alerts."""
    plugin = Performance(bounds={"f1": ">= 0.99"}, label_delay=2)
    early = measured(plugin, window(binary(labelled=500), end=2016, as_of=2017))
    assert {finding.status for finding in early.values()} == {"immature"}
    assert "until 2018" in early["f1"].reason
    late = measured(plugin, window(binary(labelled=500), end=2016, as_of=2018))
    assert late["f1"].status == "alert"


def test_the_delay_of_timestamps_counts_from_the_windows_end():
    """Thirty days after its end a window is mature, an instant before it is not."""
    end = datetime(2026, 1, 31, tzinfo=UTC)
    plugin = Performance(label_delay="30d")
    statuses = [
        measured(plugin, window(binary(), end=end, as_of=now))["f1"].status
        for now in (end + timedelta(days=30, microseconds=-1), end + timedelta(days=30))
    ]
    assert statuses == ["immature", "ok"]


def test_without_a_delay_nothing_is_immature():
    """With no delay stated, labels that are there are believed, even while the window is open."""
    assert measured(Performance(), window(binary(), end=5, as_of=4))["f1"].status == "ok"


@pytest.mark.parametrize("delay", ["30d", 7])
def test_a_delay_of_the_other_kind_of_time_is_refused(delay):
    """Days make no sense over whole periods, nor a bare number over timestamps."""
    end = 2016 if delay == "30d" else datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="label_delay"):
        measured(Performance(label_delay=delay), window(binary(), end=end, as_of=end))


@pytest.mark.parametrize("rows", [binary(labelled=0), {"prediction": [1, 0]}])
def test_without_labels_the_next_command_is_told(rows):
    """No label, or no column for them: one finding, unmeasured, and what to type."""
    found = measured(Performance(), window(rows))
    assert list(found) == ["labelled"]
    assert found["labelled"].status == "unmeasured"
    assert "interlock labels add" in found["labelled"].reason


def test_too_few_labels_measure_nothing():
    """Under min_labelled no measure has a value, and no bound alerts."""
    plugin = Performance(bounds={"f1": ">= 0.99"}, min_labelled=50)
    found = measured(plugin, window(binary(labelled=49)))
    assert (found["f1"].status, found["f1"].value) == ("unmeasured", None)
    assert found["labelled"].status == "ok"


def test_what_cannot_be_measured_says_why():
    """Without a positive label there is no recall and no curve; accuracy there is."""
    found = measured(
        Performance(), window({"score": [0.1] * 200, "prediction": [0] * 200, "y": [0] * 200})
    )
    assert found["recall"].reason == "no label is positive"
    assert found["roc_auc"].reason == "all labels are of one class"
    assert found["accuracy"].value == 1.0


def test_answers_without_scores_have_no_curve():
    """Where captures hold answers only, all but the ROC AUC is measured."""
    rows = binary()
    del rows["score"]
    found = measured(Performance(), window(rows))
    assert found["roc_auc"].status == "unmeasured"
    assert found["f1"].status == "ok"


def test_classes_of_any_width_are_compared_by_value():
    """1 and 1.0 and True are one class; the positive one is the task's."""
    y = pa.array([True, False] * 100)
    found = measured(Performance(), window({"prediction": [1.0, 0.0] * 100, "y": y}))
    assert found["f1"].value == 1.0


def test_texts_and_numbers_never_agree_and_are_refused():
    """Labels that came as text beside numeric answers are an error, not an accuracy of zero."""
    rows = {"prediction": [1, 0] * 100, "y": ["1", "0"] * 100}
    with pytest.raises(InvalidInput, match="string"):
        measured(Performance(), window(rows))


def test_a_value_of_a_row_stays_out_of_the_message():
    """What cannot be read as a number is refused by its type, not quoted."""
    rows = {"prediction": [1.0] * 200, "y": ["hunter2"] * 200}
    with pytest.raises(InvalidInput) as caught:
        measured(Performance(), window(rows, kind="regression"), "regression")
    assert "hunter2" not in str(caught.value)


def test_a_bound_on_what_the_kind_does_not_have_is_refused():
    """A bound that nothing is measured for would hold for ever."""
    with pytest.raises(InvalidInput, match="'mae' is no measure of binary"):
        measured(Performance(bounds={"mae": "<= 1"}), window(binary()))


@pytest.mark.parametrize(
    ("name", "said"),
    [("acuracy", "no measure; did you mean 'accuracy'"), ("price", "no measure: there are accur")],
)
def test_a_bound_on_no_measure_at_all_is_refused_when_the_stack_loads(name, said):
    """A slip is told before a window comes."""
    with pytest.raises(ValueError, match=said):
        Performance(bounds={name: ">= 0.5"})


def test_an_unknown_kind_is_said():
    """A kind of task that is not served is one unmeasured finding."""
    found = measured(Performance(), window(binary(), kind="ranking"), "ranking")
    assert "ranking" in found["labelled"].reason


def test_a_task_without_a_target_has_nothing_to_measure():
    """Where nothing is predicted that will be known, nothing is found."""
    assert (
        Performance().measure_performance(window=window(binary()), task=Task(dataset="made")) == ()
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"bounds": {"f1": "at least 0.8"}},
        {"bounds": {"f1": "== 0.8"}},
        {"label_delay": "soon"},
        {"label_delay": -1},
        {"on": "median"},
        {"min_labelled": 0},
        {"level": 1.0},
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings):
    """A setting out of its range is an error that says what to write."""
    with pytest.raises(ValueError, match=r"expected|is bounded|is no bound|must be in"):
        Performance(**settings)


class TestPerformance(MonitorSuite):
    """Every promise that the contract makes of a monitor."""

    @pytest.fixture
    def plugin(self):
        return Performance()
