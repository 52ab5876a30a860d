"""Shares of requests as whole numbers, which is all that an Experiment has."""

from __future__ import annotations

import math
from collections.abc import Sequence

from interlock_hookspecs import InvalidInput, Unsupported

_PERCENT = 100
_FINE = 10_000
_TINY = 1e-6


def apportion(weights: Sequence[float]) -> tuple[int, ...]:
    """Shares that add up to 1 as whole numbers: percents, or hundredths of a percent.

    Hundredths where a share is no whole percent. What is left over goes to the largest remainders
    (the method of Hamilton), the first of equals.

    Raises:
        InvalidInput: the weights are no shares of one whole.
        Unsupported: a share is so small that it would get nothing.

    >>> apportion([0.95, 0.05]), apportion([1.0, 0.0]), apportion([0.999, 0.001])
    ((95, 5), (100, 0), (9990, 10))
    >>> apportion([1 / 3, 1 / 3, 1 / 3])
    (3334, 3333, 3333)
    """
    if any(not 0 <= weight <= 1 for weight in weights) or abs(math.fsum(weights) - 1) > _TINY:
        listed = ", ".join(f"{weight:g}" for weight in weights) or "none"
        msg = f"the weights of an endpoint are shares of its requests and add up to 1, not {listed}"
        raise InvalidInput(msg)
    whole = all(abs(weight * _PERCENT - round(weight * _PERCENT)) < _TINY for weight in weights)
    scale = _PERCENT if whole else _FINE
    shares = [math.floor(weight * scale + _TINY) for weight in weights]
    remainders = [weight * scale - share for weight, share in zip(weights, shares, strict=True)]
    by_remainder = sorted(range(len(weights)), key=lambda place: -remainders[place])
    for place in by_remainder[: scale - sum(shares)]:
        shares[place] += 1
    for weight, share in zip(weights, shares, strict=True):
        if weight > 0 and share == 0:
            msg = (
                f"a share of {weight:g} of the requests is less than Seldon Core can be told here: "
                f"{1 / _FINE:g} is the least"
            )
            raise Unsupported(msg)
    return tuple(shares)
