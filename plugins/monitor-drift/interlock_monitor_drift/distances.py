"""How far apart two sets of counts over the same cells are, and how far chance alone takes them.

Each distance is an effect size: what it is does not depend on how many rows were compared. What
chance adds to it does, so that each has its floor beside it: the distance that two samples of one
population stay under, but for the stated false-alarm rate.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

EXPECTED = 5
"""Cells that lead one to expect fewer rows than this are put together before a PSI is taken
(W. G. Cochran, "Some methods for strengthening the common chi-square tests", Biometrics 10, 1954):
the logarithm of a share that rests on a row or two says nothing."""

PSEUDO = 0.5
"""Rows added to each cell, so that an empty one has a logarithm (Jeffreys' prior)."""


def psi(reference: Counts, window: Counts) -> float:
    """The population stability index: the sum over cells of (q - p) ln(q / p).

    p and q are the shares of the reference and of the window, each cell with half a row added.
    It is Jeffreys' divergence. Sources: S. Kullback, R. A. Leibler, Annals of Mathematical
    Statistics 22 (1951); for scorecards, N. Siddiqi, "Credit Risk Scorecards" (2006).

    >>> import numpy as np
    >>> psi(np.array([500, 500]), np.array([500, 500]))
    0.0
    >>> round(psi(np.array([500, 500]), np.array([400, 600])), 3)
    0.04
    """
    import numpy as np

    p = (reference + PSEUDO) / (reference.sum() + PSEUDO * len(reference))
    q = (window + PSEUDO) / (window.sum() + PSEUDO * len(window))
    return float(((q - p) * np.log(q / p)).sum())


def psi_floor(cells: int, reference: int, window: int, rate: float) -> float:
    """The PSI that chance alone exceeds at a rate, between samples of these sizes.

    Without drift PSI / (1/m + 1/n) follows a chi-square distribution with cells - 1 degrees of
    freedom: B. Yurdakul, J. Naranjo, "Statistical properties of the population stability index",
    Journal of Risk Model Validation 14 (2020). Its quantile is E. B. Wilson and M. M. Hilferty's
    (PNAS 17, 1931).

    >>> round(psi_floor(10, 17000, 200, 0.001), 2)
    0.14
    """
    freedom = max(1, cells - 1)
    spread = 2 / (9 * freedom)
    z = NormalDist().inv_cdf(1 - rate)
    quantile = freedom * max(0.0, 1 - spread + z * math.sqrt(spread)) ** 3
    return quantile * (1 / reference + 1 / window)


def pooled(reference: Counts, window: Counts) -> tuple[Counts, Counts]:
    """The counts with scarce cells put together into one, at the end.

    Scarce is a cell in which the reference's share leads one to expect fewer than `EXPECTED` rows
    in the smaller of the two. Only the reference decides, never what the window holds.

    >>> import numpy as np
    >>> pooled(np.array([900, 96, 3, 1]), np.array([100, 0, 0, 0]))[0].tolist()
    [900, 96, 4]
    """
    import numpy as np

    total = reference.sum()
    smaller = min(total, window.sum())
    scarce = reference * smaller < EXPECTED * total
    if not scarce.any():
        return reference, window
    return (
        np.append(reference[~scarce], reference[scarce].sum()),
        np.append(window[~scarce], window[scarce].sum()),
    )


def ks(reference: Counts, window: Counts) -> float:
    """The Kolmogorov-Smirnov statistic: the largest gap between the cumulative shares.

    Over ordered cells it is taken at their edges, and so is never more than between the rows
    themselves; with 256 cells of equal share it is at most 1/256 less.

    >>> import numpy as np
    >>> ks(np.array([50, 50, 0]), np.array([25, 50, 25]))
    0.25
    """
    import numpy as np

    gaps = np.cumsum(reference) / reference.sum() - np.cumsum(window) / window.sum()
    return float(np.abs(gaps).max())


def ks_floor(reference: int, window: int, rate: float) -> float:
    """The statistic that chance alone exceeds at a rate, at most.

    The two-sample limit of N. V. Smirnov, Annals of Mathematical Statistics 19 (1948), by the
    first term of its series, which bounds it.

    >>> round(ks_floor(17000, 200, 0.001), 3)
    0.139
    """
    return math.sqrt(-math.log(rate / 2) / 2 * (1 / reference + 1 / window))


def total_variation(reference: Counts, window: Counts) -> float:
    """Half the sum of the differences of the shares: the share of rows that changed their cell.

    >>> import numpy as np
    >>> total_variation(np.array([50, 50, 0]), np.array([25, 50, 25]))
    0.25
    """
    import numpy as np

    return float(np.abs(reference / reference.sum() - window / window.sum()).sum() / 2)


def total_variation_floor(reference: Counts, window: int, rate: float) -> float:
    """The distance that chance alone exceeds at a rate, at most.

    Its mean, by the normal deviation of each share, and above it the bounded-differences
    inequality: one row moves the distance by at most 1/n (C. McDiarmid, "On the method of bounded
    differences", 1989).

    >>> import numpy as np
    >>> round(total_variation_floor(np.array([8500, 8500]), 200, 0.001), 2)
    0.16
    """
    import numpy as np

    total = int(reference.sum())
    shares = reference / total
    sizes = 1 / total + 1 / window
    mean = float(np.sqrt(2 / math.pi * shares * (1 - shares) * sizes).sum()) / 2
    return mean + math.sqrt(-math.log(rate) / 2 * sizes)


def share_floor(reference: tuple[int, int], window: tuple[int, int], rate: float) -> float:
    """The difference of two proportions that chance alone exceeds at a rate.

    Normal, two-sided, over the pooled share, each sample with half a row added to each side.

    Args:
        reference: how many of how many.
        window: likewise.
        rate: of false alarms.

    >>> round(share_floor((50, 1000), (5, 100), 0.001), 3)
    0.076
    """
    (few, total), (some, n) = reference, window
    share = (few + some + PSEUDO) / (total + n + 2 * PSEUDO)
    z = NormalDist().inv_cdf(1 - rate / 2)
    return z * math.sqrt(share * (1 - share) * (1 / total + 1 / n))
