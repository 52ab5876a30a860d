"""Files of captures read back: by window, by release, across models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock.errors import ArtifactError, InterlockError, UsageError
from interlock.serving.capture_files import (
    ABOUT,
    INPUT,
    PREFIX,
    TIME_DIGITS,
    microseconds,
    reason,
)
from interlock.serving.capture_folder import listed, steadily

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    from interlock_hookspecs import Instant


def read_captures(
    folder: Path,
    start: Instant | None,
    end: Instant | None,
    *,
    time_column: str | None = None,
    release: str | None = None,
) -> pa.Table:
    """The captures of a window, half-open: from ``start`` on, before ``end``.

    Args:
        folder: where a `CaptureWriter` writes; one that does not exist holds nothing.
        start, end: None where the window has no such side.
        time_column: the window is over this column of event time, an integer or a timestamp, and
            rows without it are in no window; by default it is over ``at``, the time of answering.
        release: only what this release answered.

    Returns:
        The rows of all files, oldest file first, mirrored ones included; where models differ in
        their columns, null stands where a model has none.

    Raises:
        ArtifactError: a file is not what was written.
        UsageError: the window does not fit the column, or columns of two models do not fit.
    """
    import pyarrow as pa

    def read() -> list[pa.Table]:
        paths = _files(folder, start if time_column is None else None)
        found = (_read_file(path, start, end, time_column, release) for path in paths)
        return [table for table in found if table is not None]

    tables = steadily(folder, read)
    if not tables:
        return _nothing()
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        msg = f"the captures in {folder} do not fit together: {error}"
        raise UsageError(msg, hint="read the captures of one release") from error


def captured_span(
    folder: Path, time_column: str | None
) -> tuple[str | None, Instant, Instant] | None:
    """Over which column windows are, and its earliest and latest value, from the files' notes.

    It is the time column where the latest file carries it, else None: the time of answering.

    Returns:
        The column, the earliest and the latest value; None where nothing was captured.
    """
    return steadily(folder, lambda: _span(list(_files(folder, None)), time_column))


def _span(files: list[Path], time_column: str | None) -> tuple[str | None, Instant, Instant] | None:
    named = (_names(path) for path in reversed(files))
    newest = next((names for names in named if names is not None), None)
    if newest is None:
        return None
    column = time_column if time_column and _clock(newest, time_column) else None
    noted = [side for path in files for side in _noted_span(path, column)]
    return (column, min(noted), max(noted)) if noted else None


def _names(path: Path) -> list[str] | None:
    """The columns of a file; None where it was removed meanwhile."""
    with _opened(path) as file:
        return None if file is None else list(file.schema_arrow.names)


def _noted_span(path: Path, time_column: str | None) -> list[Instant]:
    """The smallest and largest value that a file notes of a column; nothing where it lacks it."""
    with _opened(path) as file:
        if file is None:
            return []
        column = _clock(file.schema_arrow.names, time_column)
        if column is None:
            return []
        return [
            side
            for group in range(file.metadata.num_row_groups)
            for side in _group_span(file, group, column)
        ]


def _group_span(file: pq.ParquetFile, group: int, column: str) -> list[Instant]:
    """The smallest and largest value of a group of rows; of times, those that a calendar has."""
    noted = _noted(file, group, column)
    if noted is None:
        return []
    sides = [side for side in _sides(noted) if side is not None]
    return sides if len(sides) == 2 else _calendar_span(file, group, column)  # noqa: PLR2004  (a span)


def _calendar_span(file: pq.ParquetFile, group: int, column: str) -> list[Instant]:
    """The same, of rows: the notes have a time before year 1 or after 9999, and hide the others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = file.read_row_group(group, columns=[column])[column]
    if not pa.types.is_timestamp(values.type):
        return []
    zone = values.type.tz and UTC
    values = values.cast(pa.timestamp(values.type.unit, values.type.tz and "UTC"))
    first, last = datetime.min.replace(tzinfo=zone), datetime.max.replace(tzinfo=zone)
    known = pc.and_(
        pc.greater_equal(values, pa.scalar(first, values.type)),
        pc.less_equal(values, pa.scalar(last, pa.timestamp("us", values.type.tz))),
    )
    span = pc.min_max(values.filter(known))
    return [side for side in span.as_py().values() if side is not None]


def _noted(file: pq.ParquetFile, group: int, column: str) -> Any:
    """What a file notes of a column of a group of rows; None where it notes no values."""
    position = file.schema_arrow.names.index(column)
    noted = file.metadata.row_group(group).column(position).statistics
    return noted if noted is not None and noted.has_min_max else None


def _sides(noted: Any) -> tuple[Instant | None, Instant | None]:
    """The smallest and largest value that is noted; None for a time before year 1 or after 9999."""
    found: list[Instant | None] = []
    for name in ("min", "max"):
        try:
            found.append(getattr(noted, name))
        except OverflowError:
            found.append(None)
    return found[0], found[1]


def _files(folder: Path, start: Instant | None) -> Iterator[Path]:
    if isinstance(start, int):
        raise _misfit("at", start, "a time")
    for name, path in listed(folder):
        try:
            latest = int(name[len(PREFIX) :][:TIME_DIGITS], 16)
        except ValueError as error:
            raise _corrupt(path, "its name says no time") from error
        if start is None or latest >= microseconds(start):
            yield path


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile | None]:
    """A file of captures, opened by the bytes of its name: Arrow takes a text for UTF-8.

    None where it was removed since it was listed, as by who keeps them for some time only.

    Raises:
        ArtifactError: it is not what was written, or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        source = pa.OSFile(os.fsencode(path), "rb")
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise _corrupt(path, reason(error)) from error
    try:
        with source, pq.ParquetFile(source) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise _corrupt(path, reason(error)) from error


def _read_file(
    path: Path,
    start: Instant | None,
    end: Instant | None,
    time_column: str | None,
    release: str | None,
) -> pa.Table | None:
    """The rows of a file that are in a window; None where it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with _opened(path) as file:
        if file is None:
            return None
        if not set(ABOUT) <= set(file.schema_arrow.names):
            raise _corrupt(path, "it lacks columns that captures have")
        column = _clock(file.schema_arrow.names, time_column)
        if column is None:
            return None
        _check_fits(column, file.schema_arrow.field(column).type, start, end)
        groups = _overlapping(file, column, start, end)
        if not groups:
            return None
        table = file.read_row_groups(groups)
        # Which columns have no gaps is the file's own affair.
        table = table.cast(
            pa.schema([field.with_nullable(nullable=True) for field in table.schema])
        )
    values = table[column]
    keep = pc.is_valid(values)
    if start is not None:
        keep = pc.and_(keep, pc.greater_equal(values, _side(start, values.type)))
    if end is not None:
        keep = pc.and_(keep, pc.less(values, _side(end, values.type)))
    if release is not None:
        keep = pc.and_(keep, pc.equal(table["release"], release))
    table = table.filter(keep)
    return table if table.num_rows else None


def _clock(columns: list[str], time_column: str | None) -> str | None:
    """The column that a window is over; None where nothing was sent under that name."""
    if time_column is None:
        return "at"
    for column in (f"{INPUT}{time_column}", time_column):
        if column in columns and column not in ABOUT:
            return column
    return None


def latest_of(captures: pa.Table, time_column: str | None) -> Instant | None:
    """The largest value that these captures have of the column that windows are over."""
    import pyarrow.compute as pc

    column = _clock(captures.column_names, time_column)
    return None if column is None else pc.max(captures[column]).as_py()


def _overlapping(
    file: pq.ParquetFile, column: str, start: Instant | None, end: Instant | None
) -> list[int]:
    """The groups of rows that may be in a window, by the smallest and largest value noted."""
    found = []
    for group in range(file.metadata.num_row_groups):
        noted = _noted(file, group, column)
        low, high = _sides(noted) if noted is not None else (None, None)
        late = low is not None and end is not None and low >= end  # type: ignore[operator]  # alike
        early = high is not None and start is not None and high < start  # type: ignore[operator]
        if not (late or early):
            found.append(group)
    return found


def _check_fits(column: str, kind: pa.DataType, start: Instant | None, end: Instant | None) -> None:
    import pyarrow as pa

    for side in (start, end):
        if side is None:
            continue
        if pa.types.is_integer(kind) and not isinstance(side, int):
            raise _misfit(column, side, "an integer")
        zoned = pa.types.is_timestamp(kind) and kind.tz is not None
        if zoned and not (isinstance(side, datetime) and side.tzinfo is not None):
            raise _misfit(column, side, "a time with its zone")
        if not zoned and not pa.types.is_integer(kind):
            msg = f"the captured column {column!r} is {kind}: windows are over integers or times"
            raise UsageError(msg, hint="name another [task] time")


def _side(side: Instant, kind: pa.DataType) -> pa.Scalar:
    import pyarrow as pa

    # An integer may be out of a narrow column's range, and is compared all the same.
    return pa.scalar(side) if isinstance(side, int) else pa.scalar(side, kind)


def _nothing() -> pa.Table:
    import pyarrow as pa

    kinds = (pa.string(), pa.int64(), pa.timestamp("us", "UTC"), pa.string(), pa.bool_())
    return pa.schema(list(zip(ABOUT, kinds, strict=True))).empty_table()


def _misfit(column: str, side: Instant, wanted: str) -> InterlockError:
    msg = f"the window's side {side} does not fit the captured column {column!r}: it is {wanted}"
    return UsageError(msg)


def _corrupt(path: Path, why: str) -> InterlockError:
    msg = f"{path} is no file of captures: {why}"
    return ArtifactError(msg, hint=f"move it away, and count its rows as lost: mv {path} /tmp")
