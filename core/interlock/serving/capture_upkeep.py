"""The thread that puts a writer's files of captures together, beside answering."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_REST = 99.0
"""Seconds of rest for each of work: a hundredth of a processor, however much was left behind."""


class Upkeep:
    """Looks after a folder of captures while files are written to it; see `capture_merging`.

    Several processes may look after one folder: one of them at a time does something.

    Args:
        folder: of captures.
        seconds: how often it is looked at, where something was written since.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._written = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="captures kept", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Note that there is a new file."""
        self._written = True

    def close(self) -> None:
        """End the thread, after the step that it is at."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.wait(self._seconds):
            if self._written:
                self._written = False
                self._look()

    def _look(self) -> None:
        from interlock.serving.capture_merging import merge

        more = True
        while more:
            began = time.thread_time()
            try:
                more = merge(self._folder, datetime.now(UTC), stopping=self._stopping.is_set)
            except Exception:  # noqa: BLE001  (the files are as they were; the next look tries again)
                return
            if self._stopping.wait((time.thread_time() - began) * _REST):
                return
