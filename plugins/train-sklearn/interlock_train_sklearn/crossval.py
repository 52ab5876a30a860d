"""Cross-validation on the training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import InvalidInput, Label, Score, Workspace
from interlock_train_sklearn.rows import Target

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SCORING: Mapping[str, tuple[str, ...]] = {
    "binary": ("roc_auc", "f1"),
    "multiclass": ("accuracy", "f1_macro"),
    "regression": ("r2", "neg_mean_absolute_error"),
}


def cross_validate(
    estimator: Any,
    matrix: np.ndarray,
    target: Target,
    *,
    folds: int,
    scoring: Sequence[str],
    seed: int,
    ws: Workspace,
) -> tuple[Score, ...]:
    """Score an unfitted estimator on each fold, fitted freshly on the others.

    Folds are shuffled by the seed, and hold each class in its proportion.

    Args:
        estimator: what is fitted to the matrix; it stays unfitted.
        matrix: a row a training row.
        target: its labels.
        folds: 2 or more.
        scoring: scikit-learn's names; greater is better in all.
        seed: of the shuffle.
        ws: hears of the progress.

    Raises:
        InvalidInput: a name is unknown, a class has fewer rows than there are folds, or a score
            is not finite.
    """
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.model_selection import cross_validate as score_folds

    scorers = {name: _scorer(name, target.positive) for name in scoring}
    splitter = StratifiedKFold if target.classes else KFold
    _check_size(target, folds)
    values: dict[str, list[float]] = {name: [] for name in scoring}
    splits = splitter(folds, shuffle=True, random_state=seed).split(matrix, target.values)
    for done, split in enumerate(splits):
        ws.progress("cross-validating", done, folds)
        scores = score_folds(
            estimator, matrix, target.values, cv=[split], scoring=scorers, error_score="raise"
        )
        for name in scoring:
            values[name].append(_finite(name, float(scores[f"test_{name}"][0])))
    ws.progress("cross-validating", folds, folds)
    return tuple(Score(name=name, folds=tuple(found)) for name, found in values.items())


def _check_size(target: Target, folds: int) -> None:
    import numpy as np

    smallest = len(target.values)
    if target.classes:
        smallest = int(np.unique(target.values, return_counts=True)[1].min())
    if smallest < folds:
        what = "the smallest class has" if target.classes else "there are"
        raise InvalidInput(f"folds = {folds}, but {what} {smallest} rows: lower folds")


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise InvalidInput(f"scoring: {name!r} is {value} on a fold: choose another metric")
    return value


def _scorer(name: str, positive: Label | None) -> Any:
    """scikit-learn's scorer of that name, told which class is positive where it takes 1 for it."""
    from sklearn import metrics

    scores = ("predict_proba", "decision_function")
    told = {
        "average_precision": (metrics.average_precision_score, scores, True),
        "f1": (metrics.f1_score, "predict", True),
        "jaccard": (metrics.jaccard_score, "predict", True),
        "neg_brier_score": (metrics.brier_score_loss, "predict_proba", False),
        "precision": (metrics.precision_score, "predict", True),
        "recall": (metrics.recall_score, "predict", True),
    }
    if positive is not None and name in told:
        function, response, greater = told[name]
        return metrics.make_scorer(
            function, response_method=response, greater_is_better=greater, pos_label=positive
        )
    try:
        return metrics.get_scorer(name)
    except ValueError as error:
        raise InvalidInput(
            f"scoring: {name!r} is none of scikit-learn's scorers, for example 'roc_auc'"
        ) from error
