"""The capture sink of a server: queues what was answered and writes it off the hot path."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from interlock.serving.capture_files import (
    ABOUT,
    captured_span,
    read_captures,
    reason,
    sent_name,
    stored_name,
    write_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from interlock_hookspecs import Capture

__all__ = [
    "ABOUT",
    "CaptureWriter",
    "captured_span",
    "read_captures",
    "sent_name",
    "stored_name",
]


class CaptureWriter:
    """A `CaptureSink` that writes to a folder from a thread of its own.

    Memory is bounded: what arrives while the queue is full is counted as lost. So is what the
    disk does not take; the server goes on.

    Args:
        folder: where the files go; made when the first is written.
        queue_rows: rows that wait to be written, at most.
        queue_captures: captures that wait, at most. One of a single row holds some 6 kB.
        flush_seconds: how long an answer may wait to be written.
        flush_rows: the number of waiting rows that are written at once.
    """

    def __init__(
        self,
        folder: Path,
        *,
        queue_rows: int = 200_000,
        queue_captures: int = 20_000,
        flush_seconds: float = 1.0,
        flush_rows: int = 50_000,
    ) -> None:
        self._folder = folder
        self._queue_rows = queue_rows
        self._queue_captures = queue_captures
        self._flush_seconds = flush_seconds
        self._flush_rows = flush_rows
        self._flush_captures = queue_captures // 2
        self._changed = threading.Condition()
        self._queue: deque[Capture] = deque()
        self._rows = 0
        self._taken = 0
        self._settled = 0
        self._hurried = 0
        self._closing = False
        self._lost = 0
        self._problem = ""
        self._thread = threading.Thread(target=self._work, name="captures", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many captures were lost: the queue was full, or they could not be written."""
        return self._lost

    @property
    def problem(self) -> str:
        """Why the last file could not be written; empty where it could."""
        return self._problem

    def put(self, capture: Capture) -> bool:
        """Queue a capture for writing; False where there is no room, or after the end."""
        rows = capture.rows.num_rows
        with self._changed:
            if (
                self._closing
                or self._rows + rows > self._queue_rows
                or len(self._queue) >= self._queue_captures
            ):
                self._lost += 1
                return False
            self._queue.append(capture)
            self._rows += rows
            self._taken += 1
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

    def _is_due(self) -> bool:
        return (
            self._closing
            or self._hurried > self._settled
            or self._rows >= self._flush_rows
            or len(self._queue) >= self._flush_captures
        )

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing)
                self._changed.wait_for(self._is_due, timeout=self._flush_seconds)
                waiting = list(self._queue)
                self._queue.clear()
                self._rows = 0
                if not waiting and self._closing:
                    return
            self._write(waiting)
            with self._changed:
                self._settled += len(waiting)
                self._changed.notify_all()

    def _write(self, waiting: list[Capture]) -> None:
        problem = ""
        for captures in _by_schema(waiting):
            try:
                write_file(self._folder, _as_table(captures), max(each.at for each in captures))
            except Exception as error:  # noqa: BLE001  (counted and told; the writer must live on)
                problem = f"captures were not written: {reason(error)}"
                with self._changed:
                    self._lost += len(captures)
        self._problem = problem


def _by_schema(captures: list[Capture]) -> list[list[Capture]]:
    groups: list[list[Capture]] = []
    for capture in captures:
        for group in groups:
            same = group[0].rows.schema.equals(capture.rows.schema)
            if same and group[0].predictions.schema.equals(capture.predictions.schema):
                group.append(capture)
                break
        else:
            groups.append([capture])
    return groups


def _as_table(captures: list[Capture]) -> pa.Table:
    """Captures of one schema as one table."""
    import numpy as np
    import pyarrow as pa

    sent = pa.concat_tables([capture.rows for capture in captures])
    answered = pa.concat_tables([capture.predictions for capture in captures])
    counts = [capture.rows.num_rows for capture in captures]
    which = pa.array(np.repeat(np.arange(len(captures)), counts))
    starts = np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    about = {
        "request_id": pa.array([capture.request_id for capture in captures]).take(which),
        "row": pa.array(np.arange(sent.num_rows) - starts, pa.int64()),
        "at": pa.array([capture.at for capture in captures], pa.timestamp("us", "UTC")).take(which),
        "release": pa.array([capture.release for capture in captures]).take(which),
        "mirror": pa.array([capture.mirror for capture in captures]).take(which),
    }
    taken = answered.column_names
    names = [stored_name(name, taken) for name in sent.column_names]
    table = pa.table([*about.values(), *sent.columns, *answered.columns], [*about, *names, *taken])
    return table.combine_chunks()
