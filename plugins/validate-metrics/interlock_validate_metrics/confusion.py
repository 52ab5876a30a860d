"""Metrics of a confusion matrix, with each row's influence by the delta method.

A metric is a function of the shares p[i, j] of rows of class i that were called j. The influence
of a row in cell (i, j) is the metric's derivative there less its mean over all rows (delta method
over the multinomial; for F1 see Takahashi et al. 2022, Applied Intelligence 52, 4961-4972).
Precision, recall and F1 of a class are hits / below, where ``below`` is the share called, the
share true, or the mean of both; so the derivative is a number for the row's called class, one for
its true class, and one more on the diagonal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from interlock_validate_metrics.estimates import Estimate

if TYPE_CHECKING:
    from interlock_validate_metrics.estimates import Floats, Ints

Of = Literal["precision", "recall", "f1"]
Averaging = Literal["macro", "weighted"]

_CALLED_PART = {"precision": 1.0, "recall": 0.0, "f1": 0.5}


class PerClass(NamedTuple):
    """A metric of each class, and the parts of its derivative, k values each."""

    values: Floats
    by_called: Floats
    by_true: Floats
    on_diagonal: Floats


class Calls(NamedTuple):
    """Each row's true class and the one it was called, with their shares by class.

    Attributes:
        truth, called: indices of classes, n rows.
        true_shares, called_shares, hit_shares: of the rows, by class.
    """

    truth: Ints
    called: Ints
    true_shares: Floats
    called_shares: Floats
    hit_shares: Floats


def calls(truth: Ints, called: Ints, classes: int) -> Calls:
    """Count rows by their true class, by the class they were called, and by both where equal."""
    import numpy as np

    n = len(truth)
    return Calls(
        truth,
        called,
        np.bincount(truth, minlength=classes) / n,
        np.bincount(called, minlength=classes) / n,
        np.bincount(truth[truth == called], minlength=classes) / n,
    )


def per_class(rows: Calls, of: Of) -> PerClass:
    """A metric of each class.

    A class that is never called has precision 0, one that never occurs recall 0, as in
    scikit-learn with ``zero_division=0``.
    """
    import numpy as np

    part = _CALLED_PART[of]
    below = part * rows.called_shares + (1 - part) * rows.true_shares
    with np.errstate(divide="ignore"):
        inverse = np.where(below > 0, 1 / below, 0.0)
    values = rows.hit_shares * inverse
    return PerClass(values, -part * values * inverse, (part - 1) * values * inverse, inverse)


def averaged(rows: Calls, of: Of, how: Averaging) -> Estimate:
    """A metric over the classes that occur or are called: each alike, or by its true share."""
    metric = per_class(rows, of)
    if how == "weighted":
        # The weights are shares too: one more row of a class weighs its value more.
        return _estimate(rows, metric, rows.true_shares, metric.values)
    seen = (rows.true_shares + rows.called_shares) > 0
    return _estimate(rows, metric, seen / seen.sum(), None)


def of_class(rows: Calls, of: Of, c: int) -> Estimate:
    """A metric of one class."""
    import numpy as np

    return _estimate(rows, per_class(rows, of), np.eye(len(rows.true_shares))[c], None)


def _estimate(rows: Calls, metric: PerClass, weights: Floats, extra: Floats | None) -> Estimate:
    by_true = weights * metric.by_true + (0.0 if extra is None else extra)
    slope = (weights * metric.by_called)[rows.called] + by_true[rows.truth]
    hit = rows.truth == rows.called
    slope[hit] += (weights * metric.on_diagonal)[rows.truth[hit]]
    return Estimate(float(weights @ metric.values), slope - slope.mean())
