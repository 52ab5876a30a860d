"""What was answered, on its way to the capture sink.

Rows of numbers become tables here, off the way to the answer, and some batches at once: each waits
a moment for others, and is recorded as it was answered.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import CaptureBatch, CaptureSink, Release
from interlock_serving.v2.answers import Answer, Batch, Numbers, joined
from interlock_serving.v2.protocol import Query

if TYPE_CHECKING:
    import pyarrow as pa

Delivered = Sequence[tuple[Query, Answer]]
"""Requests and their answers, in the order in which they were scored."""

SECONDS = 0.1
"""How long an answer waits for others, at most."""
_ROWS = 16_384
"""How many rows wait, at most: a table of as many costs by the row, and is soon made."""
_BATCHES = 256
"""How many batches wait, at most: the loop answers nobody while they are gone through."""
_TABLE = 256
"""How many rows a batch that is a table of its own costs as much as, at least."""


@attrs.define(eq=False)
class _Recorded:
    """What was answered out of one batch.

    Not the requests themselves: what is kept of each is memory that the next cannot have again
    while the processor still has it at hand.

    Attributes:
        ids, counts: of each request, its id and its number of rows.
        at: when it was answered.
        batch: what was asked and answered.
    """

    ids: Sequence[str]
    counts: Sequence[int]
    at: datetime
    batch: Batch


class Recorder:
    """Gathers what one model answered. Filled on the event loop, emptied on any thread.

    Args:
        sink: where it goes.
        release: which answered.
        mirror: whether the answers went nowhere.

    """

    def __init__(self, sink: CaptureSink, release: Release, *, mirror: bool) -> None:
        self._rows = 0
        self._sink = sink
        self._release = release.id
        self._mirror = mirror
        self._gathered: list[_Recorded] = []

    def add(self, delivered: Delivered, at: datetime) -> None:
        """Take what was answered at a moment."""
        for batch, group in itertools.groupby(delivered, key=_batch_of):
            members = [*group]
            kept = batch
            if len(members) < batch.requests:  # a client went away, or was told that it is late
                kept = batch.only([(answer.start, answer.rows) for _, answer in members])
            ids = [query.id for query, _ in members]
            counts = [query.rows for query, _ in members]
            self._gathered.append(_Recorded(ids, counts, at, kept))
            rows = sum(counts)
            self._rows += rows if isinstance(kept, Numbers) else max(rows, _TABLE)

    @property
    def waiting(self) -> bool:
        """Whether there is something to record."""
        return bool(self._gathered)

    @property
    def full(self) -> bool:
        """Whether no more is to be waited for."""
        return self._rows >= _ROWS or len(self._gathered) >= _BATCHES

    def take(self) -> Callable[[], None]:
        """What puts all that waits into the sink."""
        gathered, self._gathered = self._gathered, []
        self._rows = 0
        return partial(self._put, gathered)

    def _put(self, gathered: list[_Recorded]) -> None:
        # A table costs by its columns, hardly by its rows: what is numbers becomes one.
        numbers: list[Numbers] = []
        together: list[_Recorded] = []
        for one in gathered:
            if isinstance(one.batch, Numbers):
                numbers.append(one.batch)
                together.append(one)
            else:
                self._put_as_one([one], one.batch.rows, one.batch.predictions)
        if numbers:
            self._put_as_one(together, *joined(numbers))

    def _put_as_one(
        self, recorded: Sequence[_Recorded], rows: pa.Table, predictions: pa.Table
    ) -> None:
        several = len(recorded) > 1
        self._sink.put_batch(
            CaptureBatch(
                request_ids=tuple([each for one in recorded for each in one.ids]),
                counts=tuple([each for one in recorded for each in one.counts]),
                at=recorded[-1].at,
                release=self._release,
                rows=rows,
                predictions=predictions,
                mirror=self._mirror,
                times=tuple([one.at for one in recorded for _ in one.ids]) if several else (),
            )
        )


def _batch_of(one: tuple[Query, Answer]) -> Batch:
    return one[1].batch
