"""The capture sink of a server: queues what was answered and writes it off the hot path."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from interlock.serving.capture_files import (
    ABOUT,
    microseconds,
    reason,
    sent_name,
    stored_name,
    write_file,
)
from interlock.serving.capture_losses import Losses, inherited
from interlock.serving.capture_reads import captured_span, latest_of, read_captures
from interlock.serving.capture_upkeep import Upkeep
from interlock_hookspecs import Capture, CaptureBatch

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

__all__ = [
    "ABOUT",
    "CaptureWriter",
    "captured_span",
    "latest_of",
    "read_captures",
    "sent_name",
    "stored_name",
]


class CaptureWriter:
    """A `CaptureSink` that writes to a folder from a thread of its own.

    Memory is bounded: what arrives while the queue is full is counted as lost. So is what the
    disk does not take; the server goes on. What a process that was killed had taken and not written
    is counted by the next that writes to the folder. Files of the past are put together meanwhile.

    Args:
        folder: where the files go; made when the first is written.
        queue_rows: rows that wait to be written, at most.
        queue_captures: captures that wait, at most. One of a single row holds some 6 kB.
        flush_seconds: how long an answer may wait to be written.
        flush_rows: the number of waiting rows that are written at once.
        upkeep_seconds: how often it is looked for files that are to be put together.
    """

    def __init__(
        self,
        folder: Path,
        *,
        queue_rows: int = 200_000,
        queue_captures: int = 20_000,
        flush_seconds: float = 1.0,
        flush_rows: int = 100_000,
        upkeep_seconds: float = 60.0,
    ) -> None:
        self._folder = folder
        self._queue_rows = queue_rows
        self._queue_captures = queue_captures
        self._flush_seconds = flush_seconds
        self._flush_rows = flush_rows
        self._flush_captures = queue_captures // 2
        self._changed = threading.Condition()
        self._queue: deque[CaptureBatch] = deque()
        self._rows = 0
        self._captures = 0
        self._expected = 0
        self._taken = 0
        self._settled = 0
        self._hurried = 0
        self._closing = False
        self._lost = 0
        self._heir = False
        self._counts: Losses | None = None
        self._problem = ""
        self._upkeep = Upkeep(folder, upkeep_seconds)
        self._thread = threading.Thread(target=self._work, name="captures", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many captures were lost: the queue was full, or they could not be written.

        Those that were lost with a process before this one are among them. They are taken over
        when this is asked first, so that a process which only watches over others takes none.
        """
        if not self._heir:
            with self._changed:
                if not self._heir:
                    self._heir = True
                    self._lost += inherited(self._folder)
                    if self._lost:
                        self._keep()
        return self._lost

    @property
    def problem(self) -> str:
        """Why the last file could not be written; empty where it could."""
        return self._problem

    def expect(self, captures: int) -> None:
        """Count captures that will be put as lost where the process ends before."""
        with self._changed:
            self._expected += captures
            self._keep()

    def put(self, capture: Capture) -> bool:
        """Queue a capture for writing; False where there is no room, or after the end."""
        return self.put_batch(
            CaptureBatch(
                request_ids=(capture.request_id,),
                counts=(capture.rows.num_rows,),
                at=capture.at,
                release=capture.release,
                rows=capture.rows,
                predictions=capture.predictions,
                mirror=capture.mirror,
            )
        )

    def put_batch(self, batch: CaptureBatch) -> bool:
        """Queue captures for writing; False where there is no room, or after the end."""
        rows, captures = batch.rows.num_rows, len(batch.counts)
        with self._changed:
            self._expected = max(0, self._expected - captures)
            if (
                self._closing
                or self._rows + rows > self._queue_rows
                or self._captures + captures > self._queue_captures
            ):
                self._lost += captures
                self._keep()
                return False
            self._queue.append(batch)
            self._rows += rows
            self._captures += captures
            self._taken += captures
            self._keep()
            if len(self._queue) == 1 or self._is_due():
                self._changed.notify_all()
        return True

    def flush(self) -> None:
        """Wait until everything that was put before is on disk, or counted lost."""
        with self._changed:
            self._hurried = max(self._hurried, self._taken)
            self._changed.notify_all()
            wanted = self._taken
            self._changed.wait_for(lambda: self._settled >= wanted)

    def close(self) -> None:
        """Write everything and end the thread. A second time does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._upkeep.close()
        with self._changed:
            if self._counts is not None:
                self._counts.close()

    def _keep(self) -> None:
        """Note the counts where they outlive this process; called with the lock held."""
        if self._counts is None and not self._closing:
            self._counts = Losses(self._folder)
        if self._counts is not None:
            self._counts.keep(self._expected + self._taken, self._settled, self._lost)

    def _is_due(self) -> bool:
        return (
            self._closing
            or self._hurried > self._settled
            or self._rows >= self._flush_rows
            or self._captures >= self._flush_captures
        )

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                self._changed.wait_for(self._is_due, timeout=self._flush_seconds)
                waiting = list(self._queue)
                self._queue.clear()
                captures = self._captures
                self._rows = self._captures = 0
                if not waiting and self._closing:
                    return
            self._write(waiting)
            with self._changed:
                self._settled += captures
                self._keep()
                self._changed.notify_all()

    def _write(self, waiting: list[CaptureBatch]) -> None:
        problem = ""
        for batches in _by_schema(waiting):
            try:
                write_file(self._folder, _as_table(batches), max(each.at for each in batches))
            except Exception as error:  # noqa: BLE001  (counted and told; the writer must live on)
                problem = f"captures were not written: {reason(error)}"
                with self._changed:
                    self._lost += sum(len(each.counts) for each in batches)
            else:
                self._upkeep.written()
        self._problem = problem


def _by_schema(waiting: list[CaptureBatch]) -> list[list[CaptureBatch]]:
    groups: list[list[CaptureBatch]] = []
    for batch in waiting:
        for group in groups:
            same = group[0].rows.schema.equals(batch.rows.schema)
            if same and group[0].predictions.schema.equals(batch.predictions.schema):
                group.append(batch)
                break
        else:
            groups.append([batch])
    return groups


def _as_table(batches: list[CaptureBatch]) -> pa.Table:
    """Captures of one schema as one table."""
    import numpy as np
    import pyarrow as pa

    sent = pa.concat_tables([batch.rows for batch in batches])
    answered = pa.concat_tables([batch.predictions for batch in batches])
    counts = np.array([count for batch in batches for count in batch.counts])
    ids = [request_id for batch in batches for request_id in batch.request_ids]
    rows = sent.num_rows
    # By the row for what a request has for itself, by the batch for what it shares.
    places = np.repeat(np.arange(len(ids), dtype=np.int32), counts)
    sizes = [batch.rows.num_rows for batch in batches]
    about = {
        "request_id": _repeated(ids, places),
        "row": pa.array(np.arange(rows) - (np.cumsum(counts) - counts)[places]),
        "at": pa.array(_moments(batches)[places]).view(pa.timestamp("us", "UTC")),
        "release": _named([batch.release for batch in batches], sizes),
        "mirror": pa.array(np.repeat([batch.mirror for batch in batches], sizes)),
    }
    taken = answered.column_names
    names = [stored_name(name, taken) for name in sent.column_names]
    return pa.table([*about.values(), *sent.columns, *answered.columns], [*about, *names, *taken])


def _moments(batches: list[CaptureBatch]) -> np.ndarray:
    """When each capture was answered, in microseconds since 1970."""
    import numpy as np

    # Those that were scored together have one time: it is reckoned once.
    known: dict[datetime, int] = {}
    found = []
    for batch in batches:
        for at in batch.times or [batch.at] * len(batch.counts):
            moment = known.get(at)
            if moment is None:
                moment = known[at] = microseconds(at)
            found.append(moment)
    return np.array(found, np.int64)


def _named(names: list[str], sizes: list[int]) -> pa.Array:
    """A column of names that the rows of a batch have in common."""
    import numpy as np

    known = {name: place for place, name in enumerate(dict.fromkeys(names))}
    places = np.array([known[name] for name in names], np.int32)
    return _repeated([*known], np.repeat(places, sizes))


def _repeated(texts: list[str], places: np.ndarray) -> pa.Array:
    """A column of texts by their places; where one is in several rows, it is written once."""
    import numpy as np
    import pyarrow as pa

    column = pa.array(texts, pa.string())
    if np.array_equal(places, np.arange(len(texts))):
        return column
    # The places are known to be within: Arrow need not look.
    return pa.DictionaryArray.from_arrays(pa.array(places), column, safe=False)
