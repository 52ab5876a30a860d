"""The files that hold what endpoints answered: written whole; `capture_reads` reads them back.

A file is written under another name, synced and renamed, so that whatever is named
``captures-*.parquet`` is whole. Its name begins with the time of its latest capture, in
microseconds since 1970 in hexadecimal, then random digits: names sort by time, and a file is
known to be too old without opening it. A file into which others were put together has after these
a dash and how often its rows were: see `capture_due`.

Columns, in order: ``request_id``, ``row`` (its place in the request), ``at`` (when it was
answered, UTC), ``release``, ``mirror``; then what was sent: the features, and the id and time
columns where the client sent them; then what was answered: the outputs and ``prediction``. What
was sent under a name that is taken is kept under `stored_name`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from interlock.durable import sync

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

ABOUT = ("request_id", "row", "at", "release", "mirror")
"""The columns that say which request, beside what was sent and what was answered."""

INPUT = "input."
PREFIX, SUFFIX = "captures-", ".parquet"
TIME_DIGITS = RANDOM_DIGITS = 16
_TOGETHER = 1 << 16
"""Values that are encoded at once."""
_GROUP_ROWS = 1 << 16
"""Rows that a window is read by: of a group, all or none are decoded."""
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
    taken = name in ABOUT or name in answered or name.startswith(INPUT)
    return f"{INPUT}{name}" if taken else name


def sent_name(column: str) -> str:
    """The name under which the client sent a column.

    >>> sent_name("input.row"), sent_name("AGEP"), sent_name(stored_name("input.x", []))
    ('row', 'AGEP', 'input.x')
    """
    return column.removeprefix(INPUT)


def write_file(folder: Path, table: pa.Table, latest: datetime) -> None:
    """Write one file of captures, or none.

    Args:
        folder: where to; made where it is missing.
        table: with the columns that this module names.
        latest: the latest ``at`` in it.

    Raises:
        OSError: the disk does not take it; nothing of it is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = name_of(new_digits(microseconds(latest)), 0)
    temporary = temporary_of(folder, name)
    try:
        encode(temporary, table)
        sync(temporary)
        temporary.rename(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(folder)


def new_digits(latest: int) -> str:
    """What a file's name begins with: the time of its latest capture, and random digits."""
    return f"{latest:0{TIME_DIGITS}x}{os.urandom(RANDOM_DIGITS // 2).hex()}"


def name_of(digits: str, level: int) -> str:
    """The name of a file whose rows were put together with those of others so many times."""
    times = f"-{level}" if level else ""
    return f"{PREFIX}{digits}{times}{SUFFIX}"


def temporary_of(folder: Path, name: str) -> Path:
    """Where a file of this name is written before it is whole."""
    return folder / f".{name}.tmp"


def encode(path: Path, table: pa.Table) -> None:
    """Write captures to a file. Whoever calls syncs it.

    Raises:
        OSError: the disk does not take it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Arrow's own file: into one of Python's it writes piece by piece, and waits for the
    # interpreter's lock for each, as the loop that answers does after it.
    tight = _tight(table)
    with (
        pa.OSFile(os.fsencode(path), "wb") as file,
        pq.ParquetWriter(file, tight.schema, **_encoding(tight.schema)) as writer,
    ):
        writer.add_key_value_metadata(_told(tight.schema))
        writer.write_table(tight, row_group_size=_GROUP_ROWS)


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


def microseconds(at: datetime) -> int:
    """A moment as files have it: microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def reason(error: Exception) -> str:
    """An error in one line: of the system, as the system says it."""
    number = getattr(error, "errno", None)
    if number is not None:
        return os.strerror(number)
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
