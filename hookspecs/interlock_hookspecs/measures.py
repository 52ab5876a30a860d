"""Estimates with their intervals, for plugins that measure: closed forms, counts and ranks.

Validation and monitoring measure the same things on different rows; both take them from here, so
that one name means one formula. numpy is imported by the functions that take arrays.

>>> low, high = wilson(90, 100)
>>> round(low, 3), round(high, 3)
(0.826, 0.945)
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Interval = tuple[float, float]
"""The low and the high end."""

LEVEL = 0.95
"""The coverage of an interval where nobody says another."""


def normal_quantile(level: float = LEVEL) -> float:
    """How many standard errors a two-sided normal interval reaches to each side.

    Raises:
        ValueError: the level is not between 0 and 1.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    if not 0 < level < 1:
        msg = f"level is {level}: expected a coverage between 0 and 1, for example 0.95"
        raise ValueError(msg)
    return NormalDist().inv_cdf(0.5 + level / 2)


def normal_interval(
    value: float,
    error: float,
    level: float = LEVEL,
    *,
    least: float = float("-inf"),
    most: float = float("inf"),
) -> Interval:
    """A value plus and minus its standard errors, kept between what the measure can be.

    >>> normal_interval(0.9, 0.0, least=0.0, most=1.0)
    (0.9, 0.9)
    """
    reach = normal_quantile(level) * error
    return max(least, value - reach), min(most, value + reach)


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval | None:
    """The score interval of a proportion; None of no trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927). It keeps inside 0 to 1 and its coverage at few trials, where the normal
    approximation does neither.

    Raises:
        ValueError: more successes than trials, or fewer than none.

    >>> wilson(0, 0) is None
    True
    >>> wilson(0, 10)[0]
    0.0
    """
    if not 0 <= successes <= n:
        msg = f"{successes} successes of {n}: expected between 0 and all"
        raise ValueError(msg)
    if n == 0:
        return None
    z = normal_quantile(level)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    reach = z / scale * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    # At the ends the two terms cancel exactly, but for rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    high = 1.0 if successes == n else min(1.0, centre + reach)
    return low, high


def mean_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """The normal interval of a mean, from the sample's own spread; None of fewer than two.

    >>> import numpy as np
    >>> mean_interval(np.array([1.0, 1.0, 1.0]))
    (1.0, 1.0)
    """
    n = len(values)
    if n < 2:  # noqa: PLR2004  (one value has no spread)
        return None
    return normal_interval(float(values.mean()), float(values.std(ddof=1)) / n**0.5, level)


def f1_score(hits: int, false_alarms: int, misses: int) -> float | None:
    """2 TP / (2 TP + FP + FN); None where there is neither a positive nor a claim of one.

    >>> f1_score(8, 2, 2)
    0.8
    """
    total = 2 * hits + false_alarms + misses
    return 2 * hits / total if total else None


def f1_interval(hits: int, false_alarms: int, misses: int, level: float = LEVEL) -> Interval | None:
    """The interval of an F1: Wilson's on the Jaccard index, carried over.

    J = TP / (TP + FP + FN) is a proportion of the rows that are positive or claimed to be, and
    F1 = 2 J / (1 + J) grows with it, so that the ends of the one are the ends of the other.

    >>> low, high = f1_interval(80, 20, 20)
    >>> round(low, 2), round(high, 2)
    (0.73, 0.85)
    """
    ends = wilson(hits, hits + false_alarms + misses, level)
    return None if ends is None else (2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1]))


def confusion(truth: NDArray[np.intp], answers: NDArray[np.intp], classes: int) -> NDArray[np.intp]:
    """Counts by true class (rows) and answered class (columns), both as indices from 0.

    >>> import numpy as np
    >>> confusion(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    import numpy as np

    cells = np.bincount(truth * classes + answers, minlength=classes * classes)
    return cells.reshape(classes, classes)


def macro_f1(counts: NDArray[np.intp], level: float = LEVEL) -> tuple[float, Interval] | None:
    """The mean of the classes' F1 and its interval by the delta method over the confusion matrix.

    A class that is neither there nor answered is left out; None where that leaves none.
    Source of the interval: K. Takahashi, K. Yamamoto, A. Kuchiba, T. Koyama, "Confidence interval
    for micro-averaged F1 and macro-averaged F1 scores", Applied Intelligence 52 (2022).

    >>> import numpy as np
    >>> value, (low, high) = macro_f1(np.array([[45, 5], [5, 45]]))
    >>> round(value, 3), round(low, 3), round(high, 3)
    (0.9, 0.841, 0.959)
    """
    import numpy as np

    n = counts.sum()
    weights = (counts.sum(axis=0) + counts.sum(axis=1)).astype(float)
    present = np.flatnonzero(weights)
    if not len(present):
        return None
    shares = counts / n
    gradient = np.zeros(shares.shape)
    total = 0.0
    for index in present:
        both = weights[index] / n
        hit = shares[index, index]
        total += 2 * hit / both
        # d F1 / d p: the cell adds 1 to the weight for its row and 1 for its column.
        gradient[index, :] -= 2 * hit / both**2
        gradient[:, index] -= 2 * hit / both**2
        gradient[index, index] += 2 / both
    gradient /= len(present)
    spread = (gradient**2 * shares).sum() - ((gradient * shares).sum()) ** 2
    value = float(total / len(present))
    error = max(0.0, float(spread / n)) ** 0.5
    return value, normal_interval(value, error, level, least=0.0, most=1.0)


def midranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks from 1, equals sharing the mean of theirs.

    >>> import numpy as np
    >>> midranks(np.array([0.1, 0.4, 0.4, 0.9])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    import numpy as np

    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def roc_auc(
    scores: NDArray[np.float64], positives: NDArray[np.bool_], level: float = LEVEL
) -> tuple[float, Interval] | None:
    """The area under the ROC curve and its interval; None where one class is missing.

    The area is the Mann-Whitney statistic over midranks; the interval is normal with DeLong's
    variance. Sources: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988), in
    the form of X. Sun, W. Xu, IEEE Signal Processing Letters 21 (2014): O(n log n).

    Args:
        scores: larger means more likely positive.
        positives: which rows are positive.
        level: the interval's coverage.

    >>> import numpy as np
    >>> value, (low, high) = roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1], bool))
    >>> value, 0 <= low < value < high <= 1
    (0.75, True)
    """
    up, down = scores[positives], scores[~positives]
    m, n = len(up), len(down)
    if m == 0 or n == 0:
        return None
    ranks = midranks(scores)
    value = float((ranks[positives].sum() - m * (m + 1) / 2) / (m * n))
    # Each row's placement among the other class: the share that it beats.
    beaten = (ranks[positives] - midranks(up)) / n
    beating = 1 - (ranks[~positives] - midranks(down)) / m
    variance = (float(beaten.var(ddof=1)) / m if m > 1 else 0.0) + (
        float(beating.var(ddof=1)) / n if n > 1 else 0.0
    )
    return value, normal_interval(value, variance**0.5, level, least=0.0, most=1.0)
