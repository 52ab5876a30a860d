"""Captures: what was asked of an endpoint and answered, and where a server puts it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

from interlock_hookspecs.values import as_tuple, utc

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen(kw_only=True, eq=False)
class Capture:
    """The requests of one call and the answers to them.

    Attributes:
        request_id: the client's, or the server's own.
        at: when it was answered.
        release: the id of the release that answered.
        rows: n rows: the features as they were scored, and the id and time columns where the
            client sent them.
        predictions: n rows: the outputs and ``prediction``.
        mirror: whether the answer went nowhere.
    """

    request_id: str
    at: datetime = attrs.field(converter=utc)
    release: str
    rows: pa.Table
    predictions: pa.Table
    mirror: bool = False


@attrs.frozen(kw_only=True, eq=False)
class CaptureBatch:
    """Captures of some requests to one release, in tables that they share.

    Attributes:
        request_ids: one for each request, in the order of their rows.
        counts: the rows of each; together n.
        at: when they were answered; of the last of them, where that was not at once.
        release: the id of the release that answered.
        rows, predictions: n rows, as a `Capture` has them.
        mirror: whether the answers went nowhere.
        times: when each request was answered; empty where that was ``at`` for all.

    >>> import pyarrow as pa
    >>> from datetime import UTC, datetime
    >>> table = pa.table({"x": [1.0, 2.0, 3.0]})
    >>> batch = CaptureBatch(request_ids=("a", "b"), counts=(2, 1), at=datetime.now(UTC),
    ...                      release="release-1", rows=table, predictions=table)
    >>> [(each.request_id, each.rows["x"].to_pylist()) for each in batch.each()]
    [('a', [1.0, 2.0]), ('b', [3.0])]
    """

    request_ids: tuple[str, ...] = attrs.field(converter=as_tuple)
    counts: tuple[int, ...] = attrs.field(converter=as_tuple)
    at: datetime = attrs.field(converter=utc)
    release: str
    rows: pa.Table
    predictions: pa.Table
    mirror: bool = False
    times: tuple[datetime, ...] = attrs.field(default=(), converter=as_tuple)

    def __attrs_post_init__(self) -> None:
        n = sum(self.counts)
        fits = self.rows.num_rows == n and self.predictions.num_rows == n
        if not fits or len(self.counts) != len(self.request_ids):
            raise ValueError("the counts of a batch of captures do not add up to its rows")
        if self.times and len(self.times) != len(self.request_ids):
            raise ValueError("a batch of captures has times for others than its requests")

    def each(self) -> Iterator[Capture]:
        """The captures of the requests one by one."""
        start = 0
        times = self.times or [self.at] * len(self.counts)
        for request_id, count, at in zip(self.request_ids, self.counts, times, strict=True):
            yield Capture(
                request_id=request_id,
                at=at,
                release=self.release,
                rows=self.rows.slice(start, count),
                predictions=self.predictions.slice(start, count),
                mirror=self.mirror,
            )
            start += count


@runtime_checkable
class CaptureSink(Protocol):
    """Where a server puts what it answered. Never blocks, never raises.

    A sink may have one more method, ``expect(captures)``: so many will be put. Called before their
    answers are sent, it lets those be counted lost that a process which is killed never put.
    """

    def put(self, capture: Capture) -> bool:
        """Queue a capture for writing; False where the queue is full and it was counted lost."""

    def put_batch(self, batch: CaptureBatch) -> bool:
        """Queue captures for writing, all of them or none; False where they were counted lost."""

    @property
    def lost(self) -> int:
        """How many captures were lost since the server started."""
