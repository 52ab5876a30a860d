"""How often a caller may ask: a bucket of tokens for each, which fills at a steady rate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

import attrs

_CALLERS = 10_000


@attrs.define(eq=False)
class Rates:
    """The buckets of all callers. A bucket holds a second's worth, and one at least.

    Attributes:
        usual: requests a second; 0 for no limit.
        named: those of single callers, by name.
        clock: seconds, never going back.
    """

    usual: float
    named: Mapping[str, float]
    clock: Callable[[], float]
    _buckets: OrderedDict[str, tuple[float, float]] = attrs.field(factory=OrderedDict, init=False)

    def take(self, caller: str) -> float:
        """Let a caller ask once: 0, or the seconds until it may."""
        rate = self.named.get(caller, self.usual)
        if rate == 0:
            return 0.0
        size = max(1.0, rate)
        now = self.clock()
        tokens, at = self._buckets.pop(caller, (size, now))
        tokens = min(size, tokens + (now - at) * rate)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - allowed, now)
        if len(self._buckets) > _CALLERS:
            # Who was silent for the longest has a full bucket, or nearly.
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / rate
