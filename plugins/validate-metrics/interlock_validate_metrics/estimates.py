"""A metric as a value with each row's influence on it, and the intervals that follow.

The influence of row i is what it adds to the value, times n: the variance of the value is then
sum(influence^2) / n^2, that of a paired difference the same of the influences' difference (the
infinitesimal jackknife; Efron 1982, "The Jackknife, the Bootstrap and Other Resampling Plans",
chapter 6). Nothing is resampled.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from interlock_hookspecs import Check, Facts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from interlock_hookspecs import Scalar

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

VERSION = 1
"""Of the definitions in this plugin: another version is another measurement."""

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class Estimate(NamedTuple):
    """A metric on n rows.

    Attributes:
        value: the metric.
        influence: of each row, n values that sum to about zero.
    """

    value: float
    influence: Floats

    @property
    def error(self) -> float:
        """The standard error of the value."""
        return math.sqrt(float((self.influence**2).sum())) / len(self.influence)

    def minus(self, other: Estimate) -> Estimate:
        """The difference from another metric on the same rows."""
        return Estimate(self.value - other.value, self.influence - other.influence)


class Undefined(NamedTuple):
    """A metric that these rows do not define, and why."""

    reason: str


Metric = Estimate | Undefined


def mean_of(values: Floats) -> Estimate:
    """The mean of per-row values; its error is that of the sample standard deviation."""
    mean = values.mean()
    n = len(values)
    return Estimate(float(mean), (values - mean) * math.sqrt(n / max(n - 1, 1)))


def ratio_of_means(above: Floats, below: Floats) -> Estimate | Undefined:
    """The ratio of two means over the same rows, by the delta method."""
    divisor = below.mean()
    if divisor == 0:
        return Undefined("it would divide by zero")
    ratio = above.mean() / divisor
    return Estimate(float(ratio), (above - ratio * below) / divisor)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    share, weight = hits / n, Z * Z / n
    centre = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    # At 0 and 1 the end is exact; rounding must not put it beside the value.
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)


def check(
    name: str,
    metric: Metric,
    n: int,
    method: str,
    within: tuple[float, float] = (-math.inf, math.inf),
    **more: Any,
) -> Check:
    """A metric with the normal interval of its standard error, cut to the metric's range."""
    if isinstance(metric, Undefined):
        return unmeasured(name, metric.reason, n=n, **more)
    half = Z * metric.error
    low, high = max(within[0], metric.value - half), min(within[1], metric.value + half)
    return Check(
        name=name,
        value=metric.value,
        n=n,
        low=low,
        high=high,
        level=LEVEL,
        method=method,
        version=VERSION,
        **more,
    )


def proportion(name: str, hits: int, n: int, undefined: str, **more: Any) -> Check:
    """A counted share with its Wilson interval; without rows, why there is none."""
    if n == 0:
        return unmeasured(name, undefined, n=0, **more)
    low, high = wilson(hits, n)
    return Check(
        name=name,
        value=hits / n,
        n=n,
        low=low,
        high=high,
        level=LEVEL,
        method="wilson",
        version=VERSION,
        **more,
    )


def counted(name: str, value: float, n: int, method: str = "counted", **more: Any) -> Check:
    """A number without an interval: it was counted and not estimated, or the method says why."""
    return Check(name=name, value=float(value), n=n, method=method, version=VERSION, **more)


def unmeasured(name: str, reason: str, *, n: int | None = None, **more: Any) -> Check:
    """A check that could not be measured, with why."""
    return Check(name=name, n=n, reason=reason, version=VERSION, **more)


def facts(**values: Scalar) -> Facts:
    """The numbers behind a value, by name."""
    return Facts(values)
