"""What is measured of a group, with its interval."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class Measured(NamedTuple):
    """A rate or a mean of one group.

    Attributes:
        value: of the group; None where no row counts towards it.
        n: the rows that it rests on.
        low, high: its 95 % interval.
        hits: how many of the n, for a rate.
    """

    value: float | None
    n: int
    low: float
    high: float
    hits: int = 0


class Measure(NamedTuple):
    """What is measured of every group.

    Attributes:
        name: ``selection_rate``, ``tpr``, ``mae``.
        values: of each row: truth values for a rate, numbers for a mean.
        among: the rows that count; None for all.
        nothing: why a group has no value where none of its rows counts.
        method: how the interval is computed.
    """

    name: str
    values: Bools | Floats
    among: Bools | None
    nothing: str
    method: str


def rate(name: str, values: Bools, among: Bools | None = None, nothing: str = "") -> Measure:
    """The share of rows that are so, of those that count."""
    return Measure(name, values, among, nothing, "wilson")


def mean(name: str, values: Floats) -> Measure:
    """The mean over the rows."""
    return Measure(name, values, None, "", "normal")


def by_group(measure: Measure, codes: Ints, groups: int) -> list[Measured]:
    """A measure of each group, by counting: one pass over the rows whatever the groups."""
    import numpy as np

    values = measure.values
    if measure.among is not None:
        values, codes = values[measure.among], codes[measure.among]
    counts = np.bincount(codes, minlength=groups).tolist()
    totals = np.bincount(codes, values, groups).tolist()
    if measure.method == "wilson":
        return [_rate(round(hits), n) for hits, n in zip(totals, counts, strict=True)]
    means = np.divide(totals, counts, out=np.zeros(groups), where=np.asarray(counts) > 0)
    squares = np.bincount(codes, (values - means[codes]) ** 2, groups).tolist()
    return [_mean(*sums) for sums in zip(totals, squares, counts, strict=True)]


def _rate(hits: int, n: int) -> Measured:
    """A proportion with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    if n == 0:
        return Measured(None, 0, 0.0, 0.0)
    share, weight = hits / n, Z * Z / n
    centre = (share + weight / 2) / (1 + weight)
    half = Z * math.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    # At 0 and 1 the end is exact; rounding must not put it beside the value.
    low = 0.0 if hits == 0 else centre - half
    return Measured(share, n, low, 1.0 if hits == n else centre + half, hits)


def _mean(total: float, squares: float, n: int) -> Measured:
    if n == 0:
        return Measured(None, 0, 0.0, 0.0)
    half = Z * math.sqrt(squares / max(n - 1, 1) / n)
    return Measured(total / n, n, total / n - half, total / n + half)


def difference(high: Measured, low: Measured) -> tuple[float, float, float]:
    """The difference of two groups' values with its interval, from the intervals of both.

    For rates this is Newcombe's hybrid score interval (1998, Statistics in Medicine 17, 873-890,
    method 10), for means the normal one with unequal variances (MOVER: Zou and Donner 2008,
    Statistics in Medicine 27, 1693-1702).
    """
    top, bottom = _known(high), _known(low)
    value = top - bottom
    down = math.hypot(top - high.low, low.high - bottom)
    up = math.hypot(high.high - top, bottom - low.low)
    return value, value - down, value + up


def ratio(low: Measured, high: Measured) -> tuple[float, float, float] | None:
    """The ratio of two groups' rates with its interval; None where the larger rate is 0.

    The interval is that of the logarithm (Katz et al. 1978, Biometrics 34, 469-474). Without a hit
    in the smaller group it has no end; half a row is added to every count then (Walter 1975,
    Biometrika 62, 371-374).
    """
    if not high.hits:
        return None
    value = _known(low) / _known(high)
    add = 0.0 if low.hits else 0.5
    hits = low.hits + add, high.hits + add
    rows = low.n + add, high.n + add
    error = math.sqrt(1 / hits[0] - 1 / rows[0] + 1 / hits[1] - 1 / rows[1])
    middle = (hits[0] / rows[0]) / (hits[1] / rows[1])
    return value, min(value, middle * math.exp(-Z * error)), middle * math.exp(Z * error)


def extremes(found: Sequence[Measured]) -> tuple[int, int]:
    """The places of the smallest and of the largest value; all have one."""
    values = [_known(measured) for measured in found]
    return values.index(min(values)), values.index(max(values))


def _known(measured: Measured) -> float:
    if measured.value is None:
        msg = "a group without a value cannot be compared"
        raise ValueError(msg)
    return measured.value
