"""How it went for one model: what it was asked, refused, failed at, and how long it took."""

from __future__ import annotations

import bisect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import LATENCY_EDGES, InvalidInput

if TYPE_CHECKING:
    from interlock_hookspecs import PluginError
    from interlock_serving.v2.answers import Answer


class Tally:
    """Counts of one model, from its opening on. Touched on the event loop's thread only.

    Attributes:
        since: when it began to count.
        refused: requests that do not fit the model.
        failed: requests that fit and got no answer.
        expired: those of them whose client had given them too little time, or went away.
        cells: answers by the time from queue to answer, in the contract's cells.
        seconds: the sum of these times.
    """

    __slots__ = ("cells", "expired", "failed", "refused", "seconds", "since")

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self.refused = 0
        self.failed = 0
        self.expired = 0
        self.seconds = 0.0
        self.cells = [0] * (len(LATENCY_EDGES) + 1)

    def add(self, result: Answer | PluginError, seconds: float) -> None:
        """Count what a request came to."""
        if isinstance(result, InvalidInput):
            self.refused += 1
        elif isinstance(result, Exception):
            self.failed += 1
        else:
            self.seconds += seconds
            self.cells[bisect.bisect_left(LATENCY_EDGES, seconds)] += 1

    def expire(self) -> None:
        """Count a request whose client waits no longer."""
        self.failed += 1
        self.expired += 1

    def said(self) -> dict[str, Any]:
        """The counts as readiness tells them."""
        return {
            "since": self.since.isoformat(),
            "requests": sum(self.cells) + self.refused + self.failed,
            "refused": self.refused,
            "failed": self.failed,
            "latencies": self.cells,
        }
