"""Requests that wait for one model are scored together.

No timer decides how long to wait: while the model works, requests queue up, and what has queued
up is the next batch. One request alone is scored at once. Queue and batches belong to the event
loop; only scoring happens on the model's own thread, so that the loop keeps answering.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from interlock_deploy_local.columns import Columns, output_datatypes
from interlock_deploy_local.protocol import Answer, Query, output_names
from interlock_deploy_local.tally import Tally
from interlock_hookspecs import (
    Capture,
    CaptureSink,
    InvalidInput,
    OpenTarget,
    PluginError,
    Unavailable,
    decide,
)

if TYPE_CHECKING:
    import logging

    from interlock_hookspecs import Release, Signature


class Overloaded(PluginError):  # noqa: N818  (read as a sentence: raise Overloaded)
    """The queue is full; the same request may be taken a moment later."""


class ModelFailed(PluginError):  # noqa: N818
    """The model could not answer, through no fault of the request."""


@attrs.define(eq=False)
class _Waiting:
    """A request in the queue. A mirrored one has nobody who waits for it."""

    query: Query
    future: asyncio.Future[Answer] | None
    since: float


@attrs.frozen(eq=False)
class _Scored:
    """What came out of a batch for one request: its part of the tables."""

    answer: Answer
    rows: pa.Table
    predictions: pa.Table
    start: int


class Batcher:
    """A model behind its queue. Made, asked and closed on the event loop's thread.

    Args:
        target: the opened model, its release and whether it is a mirror.
        captures: where answers are recorded, after they were given.
        log: told of a model that fails.
        batch_rows: rows scored at once, at most, except that a request is never divided.
        queue_rows: rows that wait, at most.
        answer_seconds: how long a batch may take.

    Raises:
        Unsupported: the protocol has no datatype for one of the model's columns.
    """

    def __init__(
        self,
        target: OpenTarget,
        captures: CaptureSink,
        log: logging.Logger,
        *,
        batch_rows: int,
        queue_rows: int,
        answer_seconds: float,
    ) -> None:
        self.columns = Columns(target.predictor.signature)
        self.mirror = target.target.mirror
        self.predictor = target.predictor
        self.release: Release = target.target.release
        self.format = target.target.model.format
        self.tally = Tally()
        self._captures = captures
        self._log = log
        self._batch_rows = batch_rows
        self._queue_rows = queue_rows
        self._answer_seconds = answer_seconds
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._queued = 0
        self._scheduled = False
        self._running = False
        self._closed = False
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # A daemon: a model that never returns must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._work, name=f"model-{self.release.id}", daemon=True
        )
        self._thread.start()
        self.late = False

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        return self.predictor.signature

    def ask(self, query: Query) -> asyncio.Future[Answer]:
        """Queue a request; its answer comes through the future.

        Raises:
            Overloaded: too many rows wait.
            Unavailable: the model has been silent for too long.
        """
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._put(_Waiting(query, future, self._loop.time()))
        return future

    def tell(self, query: Query) -> bool:
        """Queue a copy of a request that nobody waits for; False where there was no room."""
        try:
            self._put(_Waiting(query, None, self._loop.time()))
        except (Overloaded, Unavailable):
            return False
        return True

    def close(self) -> None:
        """Take no more; what waits is still answered, then the thread ends."""
        self._closed = True
        self._end_if_idle()

    def is_alive(self) -> bool:
        """Whether answers of this model may still be given or recorded."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait until the answers of a closed batcher are recorded."""
        self._thread.join(seconds)

    def _put(self, waiting: _Waiting) -> None:
        if self._closed:
            raise Unavailable(f"{self.release.id} is served no longer")
        if self.late:
            self.tally.failed += 1
            raise Unavailable(f"the model of {self.release.id} has not answered in time")
        rows = waiting.query.rows
        if self._queued and self._queued + rows > self._queue_rows:
            self.tally.failed += 1
            raise Overloaded(f"{self._queued} rows wait for {self.release.id}: try again soon")
        self._queue.append(waiting)
        self._queued += rows
        if not self._running and not self._scheduled:
            # At the end of this tick of the loop, so that all it brought goes together.
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        if self._running:
            return
        if not self._queue:
            self._end_if_idle()
            return
        batch = [self._queue.popleft()]
        rows = batch[0].query.rows
        names = batch[0].query.columns.keys()
        while self._queue:
            query = self._queue[0].query
            if rows + query.rows > self._batch_rows or query.columns.keys() != names:
                break
            rows += query.rows
            batch.append(self._queue.popleft())
        self._queued -= rows
        self._running = True
        timer = self._loop.call_later(self._answer_seconds, self._give_up, batch)
        self._jobs.put(lambda: self._run(batch, timer))

    def _give_up(self, batch: list[_Waiting]) -> None:
        self.late = True
        error = Unavailable(f"no answer within {self._answer_seconds:g} s")
        self._log.error("the model of %s is late: %s", self.release.id, error)
        for waiting in (*batch, *self._queue):
            _resolve(waiting, error)
            self.tally.failed += 1
        self._queue.clear()
        self._queued = 0

    def _end_if_idle(self) -> None:
        if self._closed and not self._running and not self._queue:
            self._jobs.put(None)

    # On the model's thread.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _run(self, batch: list[_Waiting], timer: asyncio.TimerHandle) -> None:
        results = self._score_each(batch)
        try:
            self._loop.call_soon_threadsafe(self._deliver, batch, results, timer)
        except RuntimeError:
            # The loop is closed: the server stopped without waiting for this model.
            self._log.warning("%d requests were given up at the end", len(batch))
            self._jobs.put(None)

    def _score_each(self, batch: list[_Waiting]) -> list[_Scored | PluginError]:
        try:
            return [*self._score([waiting.query for waiting in batch])]
        except InvalidInput as error:
            failure: PluginError = error
        except Exception as error:  # noqa: BLE001  (whatever a model raises is answered)
            failure = ModelFailed(f"the model failed: {_in_short(error)}")
            if len(batch) == 1:
                self._log.exception("the model of %s failed", self.release.id)
        if len(batch) == 1:
            return [failure]
        # One bad request must not spoil its neighbours': each is asked for alone.
        return [result for waiting in batch for result in self._score_each([waiting])]

    def _score(self, queries: Sequence[Query]) -> list[_Scored]:
        rows = self.columns.table([query.columns for query in queries])
        given = self.predictor.predict(rows)
        if given.num_rows != rows.num_rows:
            raise ModelFailed(f"{given.num_rows} answers to {rows.num_rows} rows")
        # Before deciding: a NaN would quietly become the negative class.
        _check_finite(given)
        predictions = decide(given, self.signature, self.release.threshold)
        predictions = predictions.select(output_names(self.signature))
        values = [column.to_pylist() for column in predictions.columns]
        outputs = output_datatypes(predictions)
        scored = []
        start = 0
        for query in queries:
            end = start + query.rows
            parts = tuple(
                (name, datatype, column[start:end])
                for (name, datatype), column in zip(outputs, values, strict=True)
            )
            scored.append(_Scored(Answer(parts), rows, predictions, start))
            start = end
        return scored

    def _record(self, delivered: list[tuple[Query, _Scored]], at: datetime) -> None:
        for query, scored in delivered:
            self._captures.put(
                Capture(
                    request_id=query.id,
                    at=at,
                    release=self.release.id,
                    rows=scored.rows.slice(scored.start, query.rows),
                    predictions=scored.predictions.slice(scored.start, query.rows),
                    mirror=self.mirror,
                )
            )

    # On the loop again.

    def _deliver(
        self,
        batch: list[_Waiting],
        results: list[_Scored | PluginError],
        timer: asyncio.TimerHandle,
    ) -> None:
        timer.cancel()
        self._running = False
        given_up, self.late = self.late, False
        now = self._loop.time()
        delivered = []
        for waiting, result in zip(batch, results, strict=True):
            answer = result.answer if isinstance(result, _Scored) else result
            if not given_up:
                self.tally.add(answer, now - waiting.since)
            if _resolve(waiting, answer) and isinstance(result, _Scored):
                delivered.append((waiting.query, result))
        if self._queue:
            self._drain()
        if delivered:
            at = datetime.now(UTC)
            self._jobs.put(lambda: self._record(delivered, at))
        self._end_if_idle()


def _resolve(waiting: _Waiting, result: Answer | PluginError) -> bool:
    """Hand over a result; False where whoever waited is gone or was answered already."""
    future = waiting.future
    if future is None:
        return True
    if future.done():
        return False
    if isinstance(result, PluginError):
        future.set_exception(result)
    else:
        future.set_result(result)
    return True


def _in_short(error: Exception) -> str:
    """What may be told to a client: a message of our own, of any other exception its type only."""
    return str(error) if isinstance(error, PluginError) else type(error).__name__


def _check_finite(predictions: pa.Table) -> None:
    for name, column in zip(predictions.column_names, predictions.columns, strict=True):
        if column.null_count:
            raise ModelFailed(f"no value in {name!r}")
        if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
            raise ModelFailed(f"a value in {name!r} that is no finite number")
