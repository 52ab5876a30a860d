"""ROC AUC as counted pairs, with each row's part in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from interlock_hookspecs import Check
from interlock_validate_metrics.estimates import (
    LEVEL,
    VERSION,
    Estimate,
    Undefined,
    check,
    wilson,
)

if TYPE_CHECKING:
    from interlock_validate_metrics.estimates import Bools, Floats, Metric

ONE_CLASS = "all rows are of one class: there is no pair to rank"


def wins(scores: Floats, against: Floats) -> Floats:
    """For each score, the share of others that it beats, a tie counting half; O(n log n)."""
    import numpy as np

    ordered = np.sort(against)
    below = np.searchsorted(ordered, scores, "left")
    return (below + np.searchsorted(ordered, scores, "right")) / (2 * len(ordered))


def roc_auc(truth: Bools, scores: Floats) -> Metric:
    """The probability that a positive row outranks a negative one, with DeLong's variance.

    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837-845; the placements are taken by
    sorting (Sun and Xu 2014, IEEE Signal Processing Letters 21, 1389-1393). The difference of two
    such estimates on the same rows has their paired variance.
    """
    import numpy as np

    positive, negative = scores[truth], scores[~truth]
    if not len(positive) or not len(negative):
        return Undefined(ONE_CLASS)
    above, beaten = wins(positive, negative), 1 - wins(negative, positive)
    value = float(above.mean())
    influence = np.empty(len(scores))
    influence[truth] = _part(above - value, len(scores))
    influence[~truth] = _part(beaten - value, len(scores))
    return Estimate(value, influence)


def _part(deviations: Floats, n: int) -> Floats:
    own = len(deviations)
    return deviations * (n / own) * math.sqrt(own / max(own - 1, 1))


def auc_check(truth: Bools, scores: Floats) -> Check:
    """ROC AUC with DeLong's interval.

    Where no pair is out of order DeLong's variance is zero; the interval then is that of a
    proportion over the smaller class, which bounds the variance of any AUC (van Dantzig 1951,
    Indagationes Mathematicae 13, 1-8).
    """
    metric = roc_auc(truth, scores)
    n = len(truth)
    if isinstance(metric, Undefined) or metric.error > 0:
        return check("roc_auc", metric, n, "delong", (0.0, 1.0))
    smaller = int(min(truth.sum(), (~truth).sum()))
    low, high = wilson(round(metric.value * smaller), smaller)
    return Check(
        name="roc_auc",
        value=metric.value,
        n=n,
        low=min(low, metric.value),
        high=max(high, metric.value),
        level=LEVEL,
        method="van-dantzig",
        version=VERSION,
    )
