"""The metrics of a regression."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from interlock_hookspecs import Check
from interlock_validate_metrics.estimates import (
    LEVEL,
    VERSION,
    Estimate,
    Undefined,
    Z,
    check,
    mean_of,
)

if TYPE_CHECKING:
    from interlock_validate_metrics.estimates import Floats, Metric

MAIN = "r2"


class Scored(NamedTuple):
    """Rows with what is true and what a regression says, both in the target's unit."""

    truth: Floats
    predicted: Floats


def squared_errors(scored: Scored) -> Floats:
    """Each row's squared error."""
    errors: Floats = (scored.predicted - scored.truth) ** 2
    return errors


def main(scored: Scored) -> Metric:
    """The metric that over- and underfitting is told by."""
    return r2(scored)


def r2(scored: Scored) -> Metric:
    """1 - mean squared error / variance of the truth; the error by the delta method.

    The mean that the variance is taken about adds nothing to first order: it minimises it.
    """
    errors = squared_errors(scored)
    around = (scored.truth - scored.truth.mean()) ** 2
    variance = around.mean()
    if variance == 0:
        return Undefined("the target is the same in all rows")
    ratio = errors.mean() / variance
    return Estimate(float(1 - ratio), -(errors - ratio * around) / variance)


def rmse(scored: Scored) -> Metric:
    """The root of the mean squared error; its error is that of the mean over twice the root."""
    squared = mean_of(squared_errors(scored))
    root = math.sqrt(squared.value)
    return Estimate(root, squared.influence / (2 * root) if root else squared.influence)


def compared(scored: Scored) -> dict[str, Metric]:
    """The metrics that two models are compared by."""
    import numpy as np

    return {
        "r2": r2(scored),
        "rmse": rmse(scored),
        "mae": mean_of(np.abs(scored.predicted - scored.truth)),
    }


def measured(scored: Scored, *, bins: int) -> list[Check]:  # noqa: ARG001  (one call for every kind)
    """All checks of a regression on held-out rows."""
    n = len(scored.truth)
    metrics = compared(scored)
    return [
        check("r2", metrics["r2"], n, "delta", (-math.inf, 1.0)),
        check("rmse", metrics["rmse"], n, "delta", (0.0, math.inf)),
        check("mae", metrics["mae"], n, "normal", (0.0, math.inf)),
        check("mean_error", mean_of(scored.predicted - scored.truth), n, "normal"),
        _median_ae(scored),
    ]


def _median_ae(scored: Scored) -> Check:
    """The median absolute error, between two order statistics.

    How many of n errors lie below their median is binomial(n, 1/2); the ranks are its normal
    quantiles, rounded outwards (Conover 1999, "Practical Nonparametric Statistics", 3.2).
    """
    import numpy as np

    errors = np.sort(np.abs(scored.predicted - scored.truth))
    n = len(errors)
    half = Z * math.sqrt(n) / 2
    low = max(math.floor(n / 2 - half) - 1, 0)
    high = min(math.ceil(n / 2 + half), n - 1)
    return Check(
        name="median_ae",
        value=float(np.median(errors)),
        n=n,
        low=float(errors[low]),
        high=float(errors[high]),
        level=LEVEL,
        method="order-statistics",
        version=VERSION,
    )
