"""From a source to a described dataset, reading as few bytes as that takes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from interlock_data_files.addresses import Located, locate, opened, shown
from interlock_data_files.columns import Types, agreed, refuse_naive_time, stated_types
from interlock_data_files.readers import describe_file
from interlock_data_files.reading import Reading
from interlock_hookspecs import Dataset, Facts, Field, InvalidInput, SourceFile, Task, logical_type

if TYPE_CHECKING:
    import pyarrow as pa

STAMP = "stamp"
"""The fact that tells a replaced file from the one described; gone once the digests are taken."""


def describe(source: str, task: Task, how: Reading) -> Dataset | None:
    """The dataset behind a source; None where the source is not ours.

    Which of the task's columns must be there is core's to say, since labels and traffic are read
    with the same task and lack some of them. Types and the zone of ``task.time`` are checked here.

    Raises:
        NotFound, Unavailable, Unsupported, InvalidInput: as `locate` and `describe_file` say.
    """
    stated = stated_types(task)
    located = locate(source, how.format, how.storage)
    if located is None:
        return None
    format_, files = located
    types, rows = described_types(files, format_, stated, how)
    if not types:
        msg = f"{shown(source)} has no columns"
        raise InvalidInput(msg)
    refuse_naive_time(types, task, shown(source))
    if rows == 0:
        msg = f"{shown(source)} has no rows"
        raise InvalidInput(msg)
    return Dataset(
        source=source,
        format=format_,
        files=tuple(SourceFile(path=file.shown, size=file.size) for file in files),
        fields=tuple(Field(name=name, type=logical_type(kind)) for name, kind in types.items()),
        rows=rows,
        facts=Facts({STAMP: stamp(files)}),
    )


def described_types(
    files: Iterable[Located], format_: str, stated: Types, how: Reading
) -> tuple[Types, int | None]:
    """The columns that all files agree on, and how many rows where every file says it.

    Raises:
        InvalidInput: a file cannot be read, or the files do not agree.
    """
    found = []
    for file in files:
        with opened(file) as stream:
            found.append((file.shown, describe_file(stream, file.shown, format_, stated, how)))
    types = agreed([(name, described.types) for name, described in found], stated)
    if format_ == "csv":
        types = {name: _told(kind) for name, kind in types.items()}
    counts = [described.rows for _, described in found if described.rows is not None]
    return types, sum(counts) if len(counts) == len(found) else None


def stamp(files: Iterable[Located]) -> str:
    """What changes when a file is replaced, added or removed."""
    text = "\n".join(f"{file.path}\t{file.size}\t{file.stamp}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _told(kind: pa.DataType) -> pa.DataType:
    """A CSV column that held nothing where its type was looked for is text."""
    import pyarrow as pa

    return pa.string() if kind == pa.null() else kind
