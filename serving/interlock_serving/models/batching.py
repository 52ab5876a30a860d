"""Requests that wait for one model are scored together.

No timer decides how long to wait: while the model works, requests queue up, and what has queued
up is the next batch. One request alone is scored at once. Queue and batches belong to the event
loop; scoring happens on the model's own thread, so that the loop keeps answering. A batch of a
prompt model that is known to be over soon is scored by the loop: cheaper than two hand-overs.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from interlock_hookspecs import CaptureSink, InvalidInput, OpenTarget, PluginError, Unavailable
from interlock_serving.models.private import PrivateCaptures
from interlock_serving.models.recording import SECONDS, Recorder
from interlock_serving.models.scoring import ModelFailed, Pace, Scorer
from interlock_serving.models.tally import Tally
from interlock_serving.models.waiting import Asker, Expired, Overloaded, Queue, Waiting
from interlock_serving.v2.answers import Answer
from interlock_serving.v2.protocol import Query

_LONGEST = 86_400.0
"""Seconds that a request may be told to wait, at most; a loop takes no number of any size."""

if TYPE_CHECKING:
    import logging

    from interlock_hookspecs import Predictor, Release, Signature
    from interlock_serving.v2.columns import Columns


@runtime_checkable
class Held(Protocol):
    """A predictor that is told how long it is needed: it frees its model once nobody is left."""

    def enter(self) -> None:
        """Somebody begins to ask."""

    def leave(self) -> None:
        """Somebody who entered has had the last answer, and asks no more."""


class Batcher:
    """A model behind its queue. Made, asked and closed on the event loop's thread.

    Args:
        target: the opened model, its release and whether it is a mirror.
        captures: where answers are recorded, after they were given.
        log: told of a model that fails.
        batch_rows: rows scored at once, at most, except that a request is never divided.
        queue_rows: rows that wait, at most.
        answer_seconds: how long a batch may take.
        max_concurrency: requests that wait or are scored, at most; 0 for no limit.

    Attributes:
        predictor: the opened model.
        signature: what it takes and gives.
        columns: what it takes, as the protocol has it.
        outputs: the names of what is answered.

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
        max_concurrency: int = 0,
    ) -> None:
        self._scorer = Scorer(target)
        self.predictor: Predictor = target.predictor
        self.signature: Signature = self._scorer.signature
        self.columns: Columns = self._scorer.columns
        self.outputs: tuple[str, ...] = self._scorer.outputs
        self._pace = Pace()
        self._prompt = getattr(target.predictor, "prompt", False) is True
        self.mirror = target.target.mirror
        self.release: Release = target.target.release
        self.format = target.target.model.format
        self.tally = Tally()
        self._recorder = Recorder(captures, self.release, mirror=self.mirror)
        self._recording = False
        self._hides = isinstance(captures, PrivateCaptures)  # hashing takes its time
        self._expect = getattr(captures, "expect", None)
        self._log = log
        self._batch_rows = batch_rows
        self._answer_seconds = answer_seconds
        self._max_concurrency = max_concurrency
        self._loop = asyncio.get_running_loop()
        self._queue = Queue(queue_rows)
        self._scoring = 0
        self._seen = 0
        self._scheduled = False
        self._running = False
        self._closed = False
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # A daemon: a model that never returns must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._work, name=f"model-{self.release.id}", daemon=True
        )
        if isinstance(target.predictor, Held):
            target.predictor.enter()
        self._thread.start()
        self.late = False

    def ask(self, query: Query, seconds: float | None = None) -> asyncio.Future[Answer]:
        """Queue a request; its answer comes through the future.

        Args:
            query: the request.
            seconds: how long it may wait for its turn; then the future raises `Expired`. A
                request that is being scored by then is answered all the same.

        Raises:
            Overloaded: too many rows wait, or too many requests are here.
            Unavailable: the model has been silent for too long.
        """
        future: asyncio.Future[Answer] = self._loop.create_future()
        timer = self.put(query, future, seconds)
        if timer is not None:
            future.add_done_callback(lambda _: timer.cancel())
        return future

    def put(
        self, query: Query, asker: Asker, seconds: float | None = None
    ) -> asyncio.TimerHandle | None:
        """Queue a request for whoever is to be told its answer, as a future would be.

        Args:
            query: the request.
            asker: who is told, not before this returned.
            seconds: as `ask` has it.

        Returns:
            What runs after these seconds: the asker's to cancel once it was told.

        Raises:
            Overloaded, Unavailable: as `ask` has it.
        """
        self._put(Waiting(query, asker, self._loop.time()))
        if seconds is None:
            return None
        return self._loop.call_later(min(seconds, _LONGEST), self._expire, asker)

    def drop(self, future: asyncio.Future[Answer]) -> None:
        """Forget a request whose client gave up, which cancelled its future."""
        if future.cancelled():
            self._queue.take_out(future)
            self.tally.expire()

    def tell(self, query: Query) -> bool:
        """Queue a copy of a request that nobody waits for; False where there was no room."""
        try:
            self._put(Waiting(query, None, self._loop.time()))
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

    def _put(self, waiting: Waiting) -> None:
        if self._closed:
            raise Unavailable(f"{self.release.id} is served no longer")
        if self.late:
            self.tally.failed += 1
            raise Unavailable(f"the model of {self.release.id} has not answered in time")
        if self._max_concurrency and self._scoring + len(self._queue) >= self._max_concurrency:
            self.tally.failed += 1
            raise Overloaded(
                f"{self._max_concurrency} requests are with {self.release.id}: try again soon"
            )
        try:
            self._queue.put(waiting)
        except Overloaded:
            self.tally.failed += 1
            raise
        self._schedule()

    def _expire(self, asker: Asker) -> None:
        if asker.done():
            return
        if not self._running:
            # Its turn comes with this tick or the next; a model that is idle drops nothing.
            self._loop.call_soon(self._expire, asker)
        elif self._queue.take_out(asker):
            self.tally.expire()
            asker.set_exception(Expired("the request's time was over before its turn came"))

    def _schedule(self) -> None:
        if not self._running and not self._scheduled:
            # At the end of this tick of the loop, so that all it brought goes together.
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        if self._running:
            return
        if len(self._queue) > self._seen:
            # More came in this tick: what is on its way may come in the next, and goes along.
            self._seen = len(self._queue)
            self._schedule()
            return
        self._seen = 0
        if not self._queue:
            self._end_if_idle()
            return
        batch, rows = self._queue.take_batch(self._batch_rows)
        if self._prompt and self._pace.is_short(rows) and self._scored_here(batch, rows):
            return
        self._running = True
        self._scoring = len(batch)
        timer = self._loop.call_later(self._answer_seconds, self._give_up, batch)
        self._jobs.put(lambda: self._run(batch, timer))

    def _scored_here(self, batch: list[Waiting], rows: int) -> bool:
        """Score a short batch at once; False where it fails, and is for the thread to look into."""
        try:
            scored = self._timed(batch, rows)
        except Exception:  # noqa: BLE001  (the thread meets it again, and tells)
            return False
        self._deliver(batch, scored)
        if self._queue or self._closed:
            self._schedule()
        return True

    def _give_up(self, batch: list[Waiting]) -> None:
        self.late = True
        error = Unavailable(f"no answer within {self._answer_seconds:g} s")
        self._log.error("the model of %s is late: %s", self.release.id, error)
        for waiting in (*batch, *self._queue.take_all()):
            self.tally.failed += 1
            if waiting.waits:
                waiting.tell(error)

    def _end_if_idle(self) -> None:
        if self._closed and not self._running and not self._queue:
            self._record()
            self._jobs.put(None)

    # On the model's thread.

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        if isinstance(self.predictor, Held):
            self.predictor.leave()

    def _run(self, batch: list[Waiting], timer: asyncio.TimerHandle) -> None:
        results = self._score_each(batch)
        try:
            self._loop.call_soon_threadsafe(self._take_over, batch, results, timer)
        except RuntimeError:
            # The loop is closed: the server stopped without waiting for this model.
            self._log.warning("%d requests were given up at the end", len(batch))
            self._jobs.put(None)

    def _score_each(self, batch: list[Waiting]) -> Sequence[Answer | PluginError]:
        try:
            return self._timed(batch, sum(waiting.query.rows for waiting in batch))
        except Unavailable as error:
            # It is the model's server that is gone: no request is to blame, nor worth another try.
            return [error] * len(batch)
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

    # On either.

    def _timed(self, batch: list[Waiting], rows: int) -> list[Answer]:
        started = time.perf_counter()
        scored = self._scorer.score([waiting.query for waiting in batch])
        self._pace.tell(rows, time.perf_counter() - started)
        return scored

    # On the loop again.

    def _take_over(
        self,
        batch: list[Waiting],
        results: Sequence[Answer | PluginError],
        timer: asyncio.TimerHandle,
    ) -> None:
        timer.cancel()
        self._running = False
        self._scoring = 0
        given_up, self.late = self.late, False
        self._deliver(batch, results, counted=not given_up)
        if self._queue:
            self._drain()
        self._end_if_idle()

    def _deliver(
        self,
        batch: list[Waiting],
        results: Sequence[Answer | PluginError],
        *,
        counted: bool = True,
    ) -> None:
        """Hand over results, and keep what was answered with for the record."""
        now = self._loop.time()
        told = [pair for pair in zip(batch, results, strict=True) if pair[0].waits]
        delivered = [
            (waiting.query, result) for waiting, result in told if isinstance(result, Answer)
        ]
        if self._expect is not None and delivered:
            self._expect(len(delivered))  # before any of it is sent
        for waiting, result in told:
            if counted:
                self.tally.add(result, now - waiting.since)
            waiting.tell(result)
        self._recorder.add(delivered, datetime.now(UTC))
        if self._recorder.full:
            # Once the answers have left, which wait for the next turn of the loop.
            self._loop.call_soon(self._loop.call_soon, self._record)
        elif delivered and not self._recording:
            self._recording = True
            self._loop.call_later(SECONDS, self._record)

    def _record(self) -> None:
        """Record what waits for it: here where that is soon done, else on the model's thread."""
        self._recording = False
        if not self._recorder.waiting:
            return
        put = self._recorder.take()
        if self._prompt and not self._hides:
            put()
        else:
            self._jobs.put(put)


def _in_short(error: Exception) -> str:
    """What may be told to a client: a message of our own, of any other exception its type only."""
    return str(error) if isinstance(error, PluginError) else type(error).__name__
