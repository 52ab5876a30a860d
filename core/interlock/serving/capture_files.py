"""The files that hold what endpoints answered: written whole, read back by window.

A file is written under another name, synced and renamed, so that whatever is named
``captures-*.parquet`` is whole. Its name begins with the time of its latest capture, in
microseconds since 1970 in hexadecimal, then random digits: names sort by time, and a file is
known to be too old without opening it.

Columns, in order: ``request_id``, ``row`` (its place in the request), ``at`` (when it was
answered, UTC), ``release``, ``mirror``; then what was sent: the features, and the id and time
columns where the client sent them; then what was answered: the outputs and ``prediction``. What
was sent under a name that is taken is kept under `stored_name`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from interlock.durable import sync
from interlock.errors import ArtifactError, InterlockError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    from interlock_hookspecs import Instant

ABOUT = ("request_id", "row", "at", "release", "mirror")
"""The columns that say which request, beside what was sent and what was answered."""

_INPUT = "input."
_PREFIX, _SUFFIX = "captures-", ".parquet"
_TIME_DIGITS = 16
_TOGETHER = 1 << 16
"""Values that are encoded at once."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def stored_name(name: str, answered: Sequence[str]) -> str:
    """The column under which an input is kept: its own name, unless that is taken.

    `sent_name` gives the name back.

    Args:
        name: as the client sent it.
        answered: the columns of the answer.

    >>> [stored_name(name, ["score"]) for name in ("AGEP", "row", "score")]
    ['AGEP', 'input.row', 'input.score']
    """
    taken = name in ABOUT or name in answered or name.startswith(_INPUT)
    return f"{_INPUT}{name}" if taken else name


def sent_name(column: str) -> str:
    """The name under which the client sent a column.

    >>> sent_name("input.row"), sent_name("AGEP"), sent_name(stored_name("input.x", []))
    ('row', 'AGEP', 'input.x')
    """
    return column.removeprefix(_INPUT)


def write_file(folder: Path, table: pa.Table, latest: datetime) -> None:
    """Write one file of captures, or none.

    Args:
        folder: where to; made where it is missing.
        table: with the columns that this module names.
        latest: the latest ``at`` in it.

    Raises:
        OSError: the disk does not take it; nothing of it is left.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    name = f"{_PREFIX}{microseconds(latest):0{_TIME_DIGITS}x}{os.urandom(8).hex()}{_SUFFIX}"
    temporary = folder / f".{name}.tmp"
    try:
        # Arrow's own file: into one of Python's it writes piece by piece, and waits for the
        # interpreter's lock for each, as the loop that answers does after it.
        tight = _tight(table)
        with (
            pa.OSFile(os.fsencode(temporary), "wb") as file,
            pq.ParquetWriter(file, tight.schema, **_encoding(tight.schema)) as writer,
        ):
            writer.add_key_value_metadata(_told(tight.schema))
            writer.write_table(tight)
        sync(temporary)
        temporary.rename(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(folder)


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """How columns are written, as ``pyarrow.parquet.write_table`` takes it.

    The processor is the server's: fractions, of which hardly two are equal, and what is said of a
    request go into no dictionary but the one that they have, what is no text is packed by what is
    quickest, and smallest and largest values are noted of those columns only that a window may be
    over.
    """
    import pyarrow as pa

    kinds = {field.name: field.type for field in schema}
    fractions = [name for name, kind in kinds.items() if pa.types.is_floating(kind)]
    plain = [name for name in ABOUT if not _is_named(schema.field(name))]
    quick = [*fractions, "row", "at", "mirror"]
    clocks = [
        name
        for name, kind in kinds.items()
        if name == "at"
        or (name not in ABOUT and (pa.types.is_integer(kind) or pa.types.is_temporal(kind)))
    ]
    return {
        "compression": {name: "lz4" if name in quick else "zstd" for name in kinds},
        "use_dictionary": [name for name in kinds if name not in (*plain, *fractions)],
        "write_statistics": clocks,
        "write_batch_size": _TOGETHER,
        "store_schema": False,
    }


def _told(schema: pa.Schema) -> dict[str, str]:
    """What a file says of its columns to Arrow, as Arrow itself would write it.

    But that texts are texts: how they were handed over is no reader's affair, and tables of two
    dictionaries are not put together. The key and its form:
    https://arrow.apache.org/docs/cpp/parquet.html (roundtripping Arrow types).
    """
    import pyarrow as pa

    plain = [
        field.with_type(field.type.value_type)
        if field.name in ABOUT and _is_named(field)
        else field
        for field in schema
    ]
    content = pa.schema(plain).serialize().to_pybytes()
    return {"ARROW:schema": base64.b64encode(content).decode("ascii")}


def _is_named(field: pa.Field) -> bool:
    import pyarrow as pa

    named: bool = pa.types.is_dictionary(field.type)
    return named


def _tight(table: pa.Table) -> pa.Table:
    """The same, told which columns have no gaps: these are written in half the time."""
    import pyarrow as pa

    columns = table.columns
    fields = zip(table.schema, columns, strict=True)
    schema = pa.schema([field.with_nullable(column.null_count > 0) for field, column in fields])
    # Not cast: that gives the interpreter's lock away, and waits for it again, column by column.
    return pa.Table.from_arrays(columns, schema=schema)


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

    tables = []
    for path in _files(folder, start if time_column is None else None):
        table = _read_file(path, start, end, time_column, release)
        if table is not None:
            tables.append(table)
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
    files = list(_files(folder, None))
    if not files:
        return None
    with _opened(files[-1]) as latest:
        newest = latest.schema_arrow.names
    column = time_column if time_column and _clock(newest, time_column) else None
    noted = [side for path in files for side in _noted_span(path, column)]
    return (column, min(noted), max(noted)) if noted else None


def _noted_span(path: Path, time_column: str | None) -> list[Instant]:
    """The smallest and largest value that a file notes of a column; nothing where it lacks it."""
    with _opened(path) as file:
        column = _clock(file.schema_arrow.names, time_column)
        if column is None:
            return []
        position = file.schema_arrow.names.index(column)
        groups = range(file.metadata.num_row_groups)
        notes = [file.metadata.row_group(group).column(position).statistics for group in groups]
    sides = [_sides(note) for note in notes if note and note.has_min_max]
    return [side for pair in sides for side in pair if side is not None]


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
    for path in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}")):
        digits = path.name[len(_PREFIX) :][:_TIME_DIGITS]
        try:
            latest = int(digits, 16)
        except ValueError as error:
            raise _corrupt(path, "its name says no time") from error
        if start is None or latest >= microseconds(start):
            yield path


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A file of captures, opened by the bytes of its name: Arrow takes a text for UTF-8.

    Raises:
        ArtifactError: it is not what was written, or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pa.OSFile(os.fsencode(path), "rb") as source, pq.ParquetFile(source) as file:
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
        if not set(ABOUT) <= set(file.schema_arrow.names):
            raise _corrupt(path, "it lacks columns that captures have")
        column = _clock(file.schema_arrow.names, time_column)
        if column is None:
            return None
        _check_fits(column, file.schema_arrow.field(column).type, start, end)
        if not _may_overlap(file, column, start, end):
            return None
        table = file.read()
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
    for column in (f"{_INPUT}{time_column}", time_column):
        if column in columns and column not in ABOUT:
            return column
    return None


def latest_of(captures: pa.Table, time_column: str | None) -> Instant | None:
    """The largest value that these captures have of the column that windows are over."""
    import pyarrow.compute as pc

    column = _clock(captures.column_names, time_column)
    return None if column is None else pc.max(captures[column]).as_py()


def _may_overlap(
    file: pq.ParquetFile, column: str, start: Instant | None, end: Instant | None
) -> bool:
    """Whether a file may hold rows of a window, by the smallest and largest value it notes."""
    position = file.schema_arrow.names.index(column)
    for group in range(file.metadata.num_row_groups):
        noted = file.metadata.row_group(group).column(position).statistics
        if noted is None or not noted.has_min_max:
            return True
        low, high = _sides(noted)
        late = low is not None and end is not None and low >= end  # type: ignore[operator]  # alike
        early = high is not None and start is not None and high < start  # type: ignore[operator]
        if not (late or early):
            return True
    return False


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


def microseconds(at: datetime) -> int:
    """A moment as files have it: microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def _misfit(column: str, side: Instant, wanted: str) -> InterlockError:
    msg = f"the window's side {side} does not fit the captured column {column!r}: it is {wanted}"
    return UsageError(msg)


def _corrupt(path: Path, why: str) -> InterlockError:
    msg = f"{path} is no file of captures: {why}"
    return ArtifactError(msg, hint=f"move it away, and count its rows as lost: mv {path} /tmp")


def reason(error: Exception) -> str:
    """An error in one line: of the system, as the system says it."""
    number = getattr(error, "errno", None)
    if number is not None:
        return os.strerror(number)
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
