"""What the trainer refuses, of its settings and of the rows, and what the error says to write."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from interlock_hookspecs import InvalidInput, NotFound, Task, Unsupported
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_skops import SkopsModel
from interlock_train_sklearn import SklearnTrainer


def workspace(folder, **project):
    return LocalWorkspace(folder, openers={"skops": SkopsModel()}, project=project)


@pytest.fixture
def ws(tmp_path):
    return workspace(tmp_path)


def task(kind="binary", **more):
    return Task(**{"dataset": "rows", "target": "y", "kind": kind, "id": "id", **more})


def rows_with(**columns):
    return pa.table({"id": [1, 2, 3, 4], "x": [1.0, 2.0, 3.0, 4.0], "y": [0, 1, 0, 1], **columns})


def test_memory_anywhere_is_refused(tmp_path):
    """A cache of pickles, however deep, is refused before anything is fitted."""
    inner = make_pipeline(SimpleImputer(), LogisticRegression(), memory=str(tmp_path / "cache"))
    ws = workspace(tmp_path, mine=make_pipeline(StandardScaler(), inner))
    with pytest.raises(InvalidInput, match="memory"):
        SklearnTrainer(estimator="project:mine").fit_candidate(rows_with(), task(), ws)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("os.system", "no class of scikit-learn estimators"),
        ("subprocess.Popen", "no class of scikit-learn estimators"),
        ("sklearn.tree.DecisionTreeClasifier", "did you mean DecisionTreeClassifier"),
        ("sklearn.no_such.Thing", "no_such"),
        ("DecisionTreeClassifier", "dotted path"),
        ("sklearn.ensemble.VotingClassifier", "project:NAME"),
        ("sklearn.tree.DecisionTreeRegressor", "is no classifier"),
        ("sklearn.svm.LinearSVC", "CalibratedClassifierCV"),
    ],
)
def test_what_is_no_estimator_is_refused_before_it_is_called(ws, path, message):
    """A path names an estimator's class for the task's kind, or the error says what to write."""
    with pytest.raises(InvalidInput, match=message):
        SklearnTrainer(estimator=path).fit_candidate(rows_with(), task(), ws)


def test_an_unknown_project_name_is_the_workspaces_to_say(ws):
    """The project's module has no such attribute."""
    with pytest.raises(NotFound, match="nope"):
        SklearnTrainer(estimator="project:nope").fit_candidate(rows_with(), task(), ws)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_dept": 3}, "did you mean max_depth"),
        ({"max_depth": -1}, "max_depth"),
        ({"random_state": 1}, r"\[task\] seed"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(ws, parameters, message):
    """Unknown, out of range, or ours to set."""
    trainer = SklearnTrainer(estimator="sklearn.tree.DecisionTreeClassifier", parameters=parameters)
    with pytest.raises(InvalidInput, match=message):
        trainer.fit_candidate(rows_with(), task(), ws)


WHEN = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows", "about", "message"),
    [
        (rows_with().drop_columns(["y"]), {}, "no column 'y'"),
        (rows_with(), {"target": None}, "names no target"),
        (rows_with(y=[0, 1, None, 1]), {}, "1 rows without a label"),
        (rows_with(y=[0.0, 1.0, float("nan"), 1.0]), {}, "1 rows without a label"),
        (rows_with(y=[1, 1, 1, 1]), {}, "one class only"),
        (rows_with(y=[0, 1, 2, 1]), {}, "kind = 'multiclass'"),
        (rows_with(y=[0.5, 1.5, 0.5, 1.5]), {}, "classes are integers"),
        (rows_with(y=["a", "b", "a", "b"]), {}, "positive = 1 is not among"),
        (rows_with(), {"positive": "1"}, "positive = '1' is not among"),
        (rows_with(y=["a", "b", "a", "b"]), {"kind": "regression"}, "regression needs numbers"),
        (rows_with(y=[0, 1, float("inf"), 1]), {"kind": "regression"}, "infinite"),
        (rows_with(), {"exclude": ("x",)}, "no column is left as a feature"),
        (rows_with().slice(0, 0), {}, "no training rows"),
        (rows_with(at=[WHEN] * 4), {}, "'at' is timestamp.*make a number of it"),
        (rows_with(at=pa.nulls(4)), {}, "'at' is null; it is empty"),
        (rows_with(at=[[1]] * 4), {}, "'at' is list<int64>"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(ws, rows, about, message):
    """The error names the column, and what to write instead."""
    with pytest.raises(InvalidInput, match=message):
        SklearnTrainer().fit_candidate(rows, task(**about), ws)


def test_an_infinite_feature_is_named(ws):
    """What scikit-learn refuses in the matrix is said of the column."""
    rows = rows_with(x=[1.0, float("inf"), 2.0, 3.0])
    trainer = SklearnTrainer(estimator="sklearn.tree.DecisionTreeClassifier")
    with pytest.raises(InvalidInput, match="column 'x' holds an infinite number"):
        trainer.fit_candidate(rows, task(), ws)


def test_another_kind_is_refused_with_those_that_are_served(ws):
    """The message lists the kinds."""
    with pytest.raises(Unsupported, match="binary, multiclass, regression, not 'ranking'"):
        SklearnTrainer().fit_candidate(rows_with(), task("ranking"), ws)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 3}, "smallest class has 2 rows"),
        ({"folds": 2, "scoring": ("auc",)}, "none of scikit-learn's scorers"),
    ],
)
def test_folds_that_cannot_be_scored_are_refused(ws, settings, message):
    """Too many folds for the classes, and metrics that do not exist."""
    with pytest.raises(InvalidInput, match=message):
        SklearnTrainer(**settings).fit_candidate(rows_with(), task(), ws)


@pytest.mark.parametrize("settings", [{"folds": 1}, {"folds": -1}, {"threads": -1}])
def test_numbers_that_mean_nothing_are_refused_when_the_stack_loads(settings):
    """One fold is no cross-validation, and no number is negative."""
    with pytest.raises(ValueError, match=next(iter(settings))):
        SklearnTrainer(**settings)


def test_a_parameter_that_is_no_plain_value_is_refused():
    """Objects come from the project's module, not from a stack file."""
    with pytest.raises(TypeError, match="plain value"):
        SklearnTrainer(parameters={"estimator": {"a": 1}})
