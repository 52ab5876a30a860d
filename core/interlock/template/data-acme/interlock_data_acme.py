"""Reads JSON Lines: replace the file by the warehouse or the API that you read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    Dataset,
    Facts,
    InvalidInput,
    NotFound,
    SourceFile,
    Task,
    Workspace,
    fields_of,
    file_digest,
    hookimpl,
    plugin,
    setting,
    table_digest,
)

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "acme-jsonl"


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
        table = read(path, task.types)
        needed = {task.id, task.target, task.time, *task.sensitive} - {None}
        missing = sorted(str(name) for name in needed - set(table.column_names))
        if missing:
            raise InvalidInput(f"{path.name} has no column {missing[0]!r}: look at [task]")
        file = SourceFile(path=source, size=path.stat().st_size)
        return Dataset(
            source=source,
            format=FORMAT,
            files=(file,),
            fields=fields_of(table),
            # The types that the task gave: `snapshot_dataset` reads the same columns again.
            facts=Facts({f"type of {name}": kind for name, kind in task.types.items()}),
        )

    @hookimpl
    def snapshot_dataset(self, dataset: Dataset, ws: Workspace) -> Dataset | None:
        if dataset.format != FORMAT:
            return None
        import pyarrow.parquet as pq

        path = Path(dataset.source)
        types = {name.removeprefix("type of "): kind for name, kind in dataset.facts.items()}
        table = read(path, Facts(types))
        if fields_of(table) != dataset.fields:
            raise InvalidInput(f"{path.name} changed since it was described: run again")
        if table.num_rows == 0:
            raise InvalidInput(f"{path.name} has no rows")
        rows = ws.scratch() / "rows.parquet"
        # In one chunk, so that equal rows are equal bytes.
        pq.write_table(table.combine_chunks(), rows)
        file = attrs.evolve(dataset.files[0], digest=file_digest(path))
        return attrs.evolve(
            dataset,
            rows=table.num_rows,
            digest=table_digest(table),
            artifact=ws.keep(rows),
            files=(file,),
        )


def read(path: Path, types: Facts) -> pa.Table:
    """The rows of a file, the columns that ``types`` names read as these types.

    Raises:
        InvalidInput: it holds no JSON objects, or other values than its types say.
    """
    import pyarrow as pa
    import pyarrow.json as reader

    try:
        schema = pa.schema([(name, pa.type_for_alias(str(kind))) for name, kind in types.items()])
        options = reader.ParseOptions(explicit_schema=schema if types else None)
        return reader.read_json(path, parse_options=options)
    except (pa.ArrowInvalid, ValueError) as error:
        # The reader's own words may quote a row.
        msg = f"{path.name} does not hold one JSON object a line with the types of [task.types]"
        raise InvalidInput(msg) from error
