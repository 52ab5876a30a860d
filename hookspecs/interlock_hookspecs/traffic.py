"""What an endpoint was asked, release by release: counts that a rollout is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs

from interlock_hookspecs.values import count, finite, is_a, named, utc

LATENCY_EDGES = (
    *(0.001, 0.0015, 0.002, 0.003, 0.005, 0.007),
    *(0.01, 0.015, 0.02, 0.03, 0.05, 0.07),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.7),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0),
)
"""The upper edges, in seconds, of the cells that answers are counted in by the time they took."""


def _cells(value: Any) -> tuple[int, ...]:
    cells = tuple(value)
    whole = len(cells) in (0, len(LATENCY_EDGES) + 1)
    if not whole or any(type(n) is not int or n < 0 for n in cells):
        msg = f"latencies: expected {len(LATENCY_EDGES) + 1} counts, one for each cell, or none"
        raise ValueError(msg)
    return cells


@attrs.frozen(kw_only=True)
class Traffic:
    """What one release behind an endpoint was asked, since it was last counted from nothing.

    Attributes:
        release: its id.
        mirror: whether it is asked for copies, whose answers go nowhere.
        weight: the share that it has now.
        since: when counting began. Counts of two different times are not of one series: the
            server was started again, or the release was taken out and put back.
        requests: how many requests it was given that have ended.
        refused: how many of them did not fit its inputs.
        failed: how many it could not answer though they fitted: it raised, was late, or full.
        latencies: of those that it answered, how many took up to each of `LATENCY_EDGES`, from
            queue to answer; the last cell is of those that took longer than any. Empty where the
            server does not tell how long each release took.

    >>> traffic = Traffic(release="release-1", since=datetime.fromisoformat("2026-01-01T00:00Z"),
    ...                   requests=3, failed=1, latencies=latency_cells([0.004, 0.0051]))
    >>> traffic.answered, traffic.latency(0.5)
    (2, 0.005)
    >>> untold = attrs.evolve(traffic, latencies=())
    >>> untold.answered, untold.latency(0.5)
    (2, None)
    """

    release: str = attrs.field(validator=named)
    mirror: bool = attrs.field(default=False, validator=is_a(bool))
    weight: float = attrs.field(default=1.0, validator=finite)
    since: datetime = attrs.field(converter=utc)
    requests: int = attrs.field(validator=count)
    refused: int = attrs.field(default=0, validator=count)
    failed: int = attrs.field(default=0, validator=count)
    latencies: tuple[int, ...] = attrs.field(converter=_cells)

    @property
    def answered(self) -> int:
        """How many requests it answered."""
        if not self.latencies:
            return max(0, self.requests - self.refused - self.failed)
        return sum(self.latencies)

    def latency(self, share: float) -> float | None:
        """The edge, in seconds, within which this share of the answers came.

        None where nothing was answered, where the answer lies beyond the last edge, or where
        latencies are not told.
        """
        reached, wanted = 0, share * self.answered
        for edge, cell in zip(LATENCY_EDGES, self.latencies, strict=False):
            reached += cell
            if reached and reached >= wanted:
                return edge
        return None

    def minus(self, before: Traffic | None) -> Traffic:
        """What came since an earlier count of the same series; all of it where it is another.

        Where several processes count for one endpoint, one that is killed may take its last counts
        along: what is less than before is nothing new.
        """
        if before is None or before.since != self.since:
            return self
        told = bool(self.latencies and before.latencies)
        cells = zip(self.latencies, before.latencies, strict=True) if told else ()
        return attrs.evolve(
            self,
            requests=max(0, self.requests - before.requests),
            refused=max(0, self.refused - before.refused),
            failed=max(0, self.failed - before.failed),
            latencies=tuple(max(0, now - then) for now, then in cells),
        )


def latency_cells(seconds: Sequence[float] = ()) -> tuple[int, ...]:
    """Times in seconds as counts by cell.

    >>> sum(latency_cells([0.0004, 99.0])), latency_cells([99.0])[-1]
    (2, 1)
    """
    import bisect

    cells = [0] * (len(LATENCY_EDGES) + 1)
    for each in seconds:
        cells[bisect.bisect_left(LATENCY_EDGES, each)] += 1
    return tuple(cells)
