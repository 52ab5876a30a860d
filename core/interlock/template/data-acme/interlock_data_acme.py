"""Reads JSON Lines: replace the file by the warehouse or the API that you read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    Dataset,
    Facts,
    InvalidInput,
    NotFound,
    SourceFile,
    TableHasher,
    Task,
    Workspace,
    fields_of,
    file_digest,
    hookimpl,
    plugin,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "acme-jsonl"
GROUP = 16_384
"""Rows that are in memory at a time. It is fixed: equal rows are equal bytes by it."""
BLOCK = 1 << 20
"""Bytes of JSON that are parsed at a time."""
STATED = "type of "
"""Before the name of a column whose type the task stated, among the facts of a dataset."""


@plugin(contract="1.0")
class AcmeData:
    """One JSON object a line; the columns and their types are those of the file."""

    ending: str = setting(".jsonl", doc="how a source ends that is this plugin's to read")

    @hookimpl
    def load_dataset(self, source: str, task: Task) -> Dataset | None:
        if not source.endswith(self.ending):
            return None
        path = Path(source)
        if not path.is_file():
            raise NotFound(f"there is no file {source}")
        fields = fields_of(columns_of(path, task.types).empty_table())
        for field in fields:
            if field.name == task.time and field.type in NAIVE:
                raise InvalidInput(f"the time column {field.name!r} has no zone: state its type")
        file = SourceFile(path=source, size=path.stat().st_size, digest=file_digest(path))
        # `snapshot_dataset` reads the columns by the same types, and a file of the same bytes.
        facts = Facts({STATED + name: kind for name, kind in task.types.items()})
        return Dataset(source=source, format=FORMAT, files=(file,), fields=fields, facts=facts)

    @hookimpl
    def snapshot_dataset(self, dataset: Dataset, ws: Workspace) -> Dataset | None:
        if dataset.format != FORMAT:
            return None
        import pyarrow.parquet as pq

        path = Path(dataset.source)
        types = {name.removeprefix(STATED): kind for name, kind in dataset.facts.items()}
        rows = ws.scratch() / "rows.parquet"
        columns = columns_of(path, Facts(types))
        with pq.ParquetWriter(rows, columns) as writer:
            for group in grouped(tables_of(path, columns)):
                writer.write_table(group)
                ws.progress(f"reading {path.name}")
        if file_digest(path) != dataset.files[0].digest:
            raise InvalidInput(f"{path.name} changed since it was described: run again")
        # What was written is what is said of it: Parquet has fewer types than Arrow.
        hasher, nullable = TableHasher(), set()
        with pq.ParquetFile(rows) as written:
            for place in range(written.num_row_groups):
                group = written.read_row_group(place)
                hasher.update(group)
                nullable |= {name for name in group.column_names if group[name].null_count}
            fields = fields_of(written.schema_arrow.empty_table())
        return attrs.evolve(
            dataset,
            fields=tuple(attrs.evolve(one, nullable=one.name in nullable) for one in fields),
            rows=hasher.rows,
            digest=hasher.digest(),
            artifact=ws.keep(rows),
        )


NAIVE = tuple(f"timestamp[{unit}]" for unit in ("s", "ms", "us", "ns"))


def columns_of(path: Path, types: Facts) -> pa.Schema:
    """The columns of a file, as its first lines have them and ``types`` states them.

    Raises:
        InvalidInput: the file holds no rows, or a type is none.
    """
    import pyarrow as pa

    stated = {name: arrow_type(name, str(kind)) for name, kind in types.items()}
    with path.open("rb") as lines:
        first = parsed(b"".join(lines.readlines(BLOCK)), path)
    return pa.schema([(one.name, stated.get(one.name, one.type)) for one in first.schema])


def tables_of(path: Path, columns: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a file, a block of lines at a time."""
    with path.open("rb") as lines:
        while block := b"".join(lines.readlines(BLOCK)):
            yield parsed(block, path, columns)


def parsed(block: bytes, path: Path, columns: pa.Schema | None = None) -> pa.Table:
    """The rows of some lines.

    Raises:
        InvalidInput: they are no JSON objects, or hold other columns or types.
    """
    import pyarrow as pa
    import pyarrow.json as reader

    parsing = reader.ParseOptions(
        columns, unexpected_field_behavior="error" if columns is not None else "infer"
    )
    try:
        reading = reader.ReadOptions(block_size=len(block) + 1)
        return reader.read_json(pa.BufferReader(block), reading, parsing)
    except pa.ArrowInvalid as error:
        # The reader's own words may quote a row.
        msg = f"{path.name} does not hold one JSON object a line with the types of [task.types]"
        raise InvalidInput(msg) from error


def arrow_type(column: str, name: str) -> pa.DataType:
    """The type that a logical type's name stands for.

    Raises:
        InvalidInput: it stands for none.
    """
    import pyarrow as pa

    zoned = re.fullmatch(r"timestamp\[(s|ms|us|ns), tz=(.+)\]", name)
    if zoned:
        return pa.timestamp(*zoned.groups())
    try:
        return pa.type_for_alias(name)
    except ValueError as error:
        raise InvalidInput(f"[task.types] {column} = {name!r} is no type") from error


def grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of `GROUP` rows, whose columns are in one piece."""
    import pyarrow as pa

    waiting: pa.Table | None = None
    for more in tables:
        waiting = more if waiting is None else pa.concat_tables([waiting, more])
        while waiting.num_rows >= GROUP:
            yield waiting.slice(0, GROUP).combine_chunks()
            waiting = waiting.slice(GROUP)
    if waiting is not None and waiting.num_rows:
        yield waiting.combine_chunks()
