"""Captures to write, and folders with captures in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from interlock.serving.capture import CaptureWriter
from interlock_hookspecs import Capture

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TODAY = NOON + HOUR
TOMORROW = NOON + timedelta(days=1)
"""When the day of what was captured at noon goes on, and when it is over."""


def capture(
    number: int = 0,
    *,
    at: datetime = NOON,
    release: str = "release-1",
    mirror: bool = False,
    rows: pa.Table | None = None,
    predictions: pa.Table | None = None,
) -> Capture:
    """What was answered to a request of this number: one row, where no rows are given."""
    rows = rows if rows is not None else pa.table({"x": [float(number)], "year": [2015 + number]})
    if predictions is None:
        predictions = pa.table({"score": [0.5] * len(rows), "prediction": [1] * len(rows)})
    return Capture(
        request_id=f"request-{number}",
        at=at,
        release=release,
        rows=rows,
        predictions=predictions,
        mirror=mirror,
    )


def written(folder: Path, *captures: Capture) -> Path:
    """A file of captures each, for as many as there are."""
    for each in captures:
        writer = CaptureWriter(folder)
        assert writer.put(each)  # noqa: S101  (a test's own)
        writer.close()
        assert writer.problem == ""  # noqa: S101  (a test's own)
    return folder


def seconds(folder: Path, count: int, **more: Any) -> Path:
    """A file for each second from noon on."""
    return written(
        folder, *(capture(number, at=NOON + number * SECOND, **more) for number in range(count))
    )


def names(folder: Path) -> list[str]:
    """The files that whoever knows nothing of claims sees, oldest first."""
    return sorted(path.name for path in folder.glob("captures-*.parquet"))


def levels(folder: Path) -> list[int]:
    """How often the rows of each file were put together with others, oldest first."""
    return [int(name.removesuffix(".parquet")[42:] or 0) for name in names(folder)]
