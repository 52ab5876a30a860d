"""Fixing rows: one Parquet artifact with deterministic bytes, and the digests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import attrs

from interlock_data_files.addresses import Located, locate, on_disk, shown
from interlock_data_files.columns import Types, parse_type
from interlock_data_files.describe import STAMP, described_types, stamp
from interlock_data_files.readers import read_file
from interlock_data_files.reading import Reading
from interlock_hookspecs import (
    Dataset,
    Field,
    InvalidInput,
    SourceFile,
    TableHasher,
    Workspace,
    file_digest,
    logical_type,
)

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 65_536
"""Rows of a row group. Fixed: were it the reader's batch, equal rows would give other bytes."""

# Named in full, so that a new default of pyarrow's is no new artifact.
_PARQUET = {
    "version": "2.6",
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": True,
    "write_statistics": True,
    "data_page_version": "1.0",
    "data_page_size": 1 << 20,
    "write_batch_size": 1024,
    "store_schema": True,
}


class Written(NamedTuple):
    """What went through the writer."""

    rows: int
    digest: str
    nullable: frozenset[str]


def snapshot(dataset: Dataset, ws: Workspace, how: Reading) -> Dataset:
    """The dataset with rows, digest, artifact and each file's digest.

    Raises:
        InvalidInput: the files are not those described, changed while they were read, are
            damaged, or have no rows.
    """
    files = _same_files(dataset, how)
    types = _described_types(dataset, files, how)
    digests: list[str] = []
    folder = ws.scratch()
    out = folder / "rows.parquet"

    def batches() -> Iterator[pa.RecordBatch]:
        for file in files:
            with on_disk(file, folder) as path:
                digests.append(file_digest(path))
                yield from read_file(path, file.shown, dataset.format, types, how)

    written = write_rows(batches(), types, out, dataset, ws)
    _same_files(dataset, how)
    if not written.rows:
        msg = f"{shown(dataset.source)} has no rows"
        raise InvalidInput(msg)
    return attrs.evolve(
        dataset,
        files=tuple(
            SourceFile(path=file.shown, size=file.size, digest=digest)
            for file, digest in zip(files, digests, strict=True)
        ),
        fields=tuple(
            Field(name=name, type=logical_type(kind), nullable=name in written.nullable)
            for name, kind in types.items()
        ),
        rows=written.rows,
        digest=written.digest,
        artifact=ws.keep(out),
        facts={name: value for name, value in dataset.facts.items() if name != STAMP},
    )


def write_rows(
    batches: Iterable[pa.RecordBatch], types: Types, out: Path, dataset: Dataset, ws: Workspace
) -> Written:
    """Write batches as one Parquet file whose bytes depend on the rows only.

    At most one row group and one batch are in memory at a time.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(list(types.items()))
    hasher, nullable = TableHasher(), set[str]()
    # A digest covers the columns even where no row arrives.
    hasher.update(schema.empty_table())
    with pq.ParquetWriter(out, schema, **_PARQUET) as writer:
        for group in regrouped(batches, schema, ROW_GROUP):
            hasher.update(group)
            nullable.update(name for name in types if group[name].null_count)
            writer.write_table(group, row_group_size=ROW_GROUP)
            ws.progress(f"snapshot of {shown(dataset.source)}", hasher.rows, dataset.rows)
    return Written(hasher.rows, hasher.digest(), frozenset(nullable))


def regrouped(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, rows: int
) -> Iterator[pa.Table]:
    """The same rows in tables of a fixed size, each column in one piece; the last is smaller."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    have = 0
    for batch in batches:
        start = 0
        while have + batch.num_rows - start >= rows:
            piece = batch.slice(start, rows - have)
            yield pa.Table.from_batches([*waiting, piece], schema).combine_chunks()
            start += piece.num_rows
            waiting, have = [], 0
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            have += batch.num_rows - start
    if waiting:
        yield pa.Table.from_batches(waiting, schema).combine_chunks()


def _described_types(dataset: Dataset, files: tuple[Located, ...], how: Reading) -> Types:
    """The columns as they were described: a CSV does not say them again, the others do."""
    if dataset.format == "csv":
        types = {field.name: parse_type(field.type) for field in dataset.fields}
        return {name: kind for name, kind in types.items() if kind is not None}
    types = described_types(files, dataset.format, {}, how)[0]
    if [(name, logical_type(kind)) for name, kind in types.items()] != [
        (field.name, field.type) for field in dataset.fields
    ]:
        raise InvalidInput(_changed(dataset))
    return types


def _same_files(dataset: Dataset, how: Reading) -> tuple[Located, ...]:
    """The files as they stand now, which must be those that were described."""
    found = locate(dataset.source, how.format, how.storage)
    files = found[1] if found else ()
    if stamp(files) != dataset.facts.get(STAMP):
        raise InvalidInput(_changed(dataset))
    return files


def _changed(dataset: Dataset) -> str:
    return f"{shown(dataset.source)} changed since it was described: run the data stage again"
