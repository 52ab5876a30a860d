"""Reading one file: its columns without its rows, and its rows in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from interlock_data_files.columns import Types, converted, snapshot_types
from interlock_data_files.reading import Reading, reading
from interlock_hookspecs import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa


class Described(NamedTuple):
    """What a file holds: its columns, and how many rows where it says so itself."""

    types: Types
    rows: int | None


def describe_file(source: Any, name: str, format_: str, stated: Types, how: Reading) -> Described:
    """The columns of a file, read from its footer, its header or its first block.

    Args:
        source: a local path or an open file.
        name: for messages.
        format_: ``parquet``, ``csv`` or ``arrow``.
        stated: the types that ``[task.types]`` gives.
        how: the settings.

    Raises:
        InvalidInput: the file is not of its format.
    """
    if format_ == "csv":
        from interlock_data_files.delimited import describe_csv

        return Described(describe_csv(source, name, stated, how), None)
    with ExitStack() as stack, reading(name, format_):
        if format_ == "parquet":
            file = stack.enter_context(_parquet(source))
            schema, rows = file.schema_arrow, file.metadata.num_rows
        else:
            schema, rows = stack.enter_context(_arrow(source)).schema, None
    return Described(snapshot_types(schema, name), rows)


def read_file(
    path: Path, name: str, format_: str, types: Types, how: Reading
) -> Iterator[pa.RecordBatch]:
    """The rows of a file in batches of the described columns.

    Args:
        path: the file on the local disk.
        name: for messages.
        format_: ``parquet``, ``csv`` or ``arrow``.
        types: the columns as they were described.
        how: the settings.

    Raises:
        InvalidInput: the file is damaged, or no longer has these columns.
    """
    with ExitStack() as stack:
        if format_ == "csv":
            from interlock_data_files.delimited import csv_batches

            yield from csv_batches(path, name, types, how)
            return
        with reading(name, format_):
            if format_ == "parquet":
                file = stack.enter_context(_parquet(str(path)))
                schema, batches = file.schema_arrow, file.iter_batches(batch_size=how.batch_rows)
            else:
                opened = stack.enter_context(_arrow(str(path)))
                schema, batches = opened.schema, _arrow_batches(opened, how.batch_rows)
        with reading(name, format_):
            found = snapshot_types(schema, name)
        if set(found) != set(types):
            msg = f"{name}: its columns changed since it was described; load the dataset again"
            raise InvalidInput(msg)
        while True:
            with reading(name, format_):
                batch = next(batches, None)
                if batch is None:
                    return
                # Offsets of an Arrow file and text of a Parquet file are taken as they lie.
                batch.validate(full=True)
                rows = converted(batch, types)
            yield rows


def _parquet(source: Any) -> Any:
    import pyarrow.parquet as pq

    # Without read-ahead of whole row groups: memory stays at a batch.
    return pq.ParquetFile(source, pre_buffer=False)


@contextmanager
def _arrow(source: Any) -> Iterator[Any]:
    """An Arrow IPC file, or stream, whichever its first bytes say."""
    import pyarrow as pa
    from pyarrow import ipc

    with ExitStack() as stack:
        if isinstance(source, str):
            # Not mapped: a file cut short under a map ends the process.
            stream = stack.enter_context(pa.OSFile(source, "rb"))
        else:
            stream = stack.enter_context(pa.PythonFile(source, mode="r"))
        magic = stream.read(6)
        stream.seek(0)
        open_ = ipc.open_file if magic == b"ARROW1" else ipc.open_stream
        yield stack.enter_context(open_(stream))


def _arrow_batches(opened: Any, rows: int) -> Iterator[pa.RecordBatch]:
    count = getattr(opened, "num_record_batches", None)
    batches = iter(opened) if count is None else (opened.get_batch(i) for i in range(count))
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)
