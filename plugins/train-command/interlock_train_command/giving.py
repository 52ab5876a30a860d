"""What a command is given: the training rows, and the task without what it must not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import InvalidInput, Signature, Task, signature_for

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP = 1 << 16  # rows of a row group, whatever chunks they came in


def signature_of(rows: pa.Table, task: Task) -> Signature:
    """The signature of the model that is asked for.

    Raises:
        InvalidInput: the rows cannot be learnt from; the message names the column.
    """
    target = task.target
    if target is None or target not in rows.column_names:
        raise InvalidInput(f"the rows have no column {target!r}: set [task] target")
    if not rows.num_rows:
        raise InvalidInput("there are no training rows")
    missing = _missing(rows[target])
    if missing:
        raise InvalidInput(f"target {target!r} has {missing} rows without a label: label them")
    if task.kind == "regression":
        _check_numbers(rows[target], target)
    signature = signature_for(rows, task)
    if task.kind != "regression" and len(signature.classes) == 1:
        raise InvalidInput(f"target {target!r} has one class only: there is nothing to learn")
    return signature


def _missing(column: pa.ChunkedArray) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)


def _check_numbers(column: pa.ChunkedArray, target: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if not (numeric or pa.types.is_decimal(column.type)):
        raise InvalidInput(f"target {target!r} is {column.type}: regression needs numbers")
    if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(column)).as_py():
        raise InvalidInput(f"target {target!r} holds an infinite number")


def give(rows: pa.Table, task: Task, signature: Signature, scratch: Path) -> dict[str, Path]:
    """Write the rows and the task into a new folder, and make those to write to.

    Returns:
        The paths, by the names of the placeholders.
    """
    import pyarrow.parquet as pq

    names = {"rows": "rows.parquet", "task": "task.json", "output": "output", "scratch": "scratch"}
    places = {place: scratch / name for place, name in names.items()}
    places["output"].mkdir()
    places["scratch"].mkdir()
    pq.write_table(_plain(rows), places["rows"], row_group_size=_GROUP)
    said = json.dumps(_said(task, signature), ensure_ascii=False, indent=2)
    places["task"].write_text(said, encoding="utf-8")
    return places


def _said(task: Task, signature: Signature) -> dict[str, Any]:
    # Neither the dataset, which holds the rows held out, nor what is decided after the fit.
    return {
        "kind": task.kind,
        "target": task.target,
        "features": [field.name for field in signature.inputs],
        "types": {field.name: field.type for field in signature.inputs},
        "classes": list(signature.classes),
        "positive": signature.positive,
        "outputs": [field.name for field in signature.outputs],
        "id": task.id,
        "time": task.time,
        "sensitive": list(task.sensitive),
        "seed": task.seed,
    }


def _plain(rows: pa.Table) -> pa.Table:
    """The rows in the usual storage of their types: how core keeps them makes no difference."""
    import pyarrow as pa

    types = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
    fields = []
    for field in rows.schema:
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        fields.append(pa.field(field.name, types.get(kind, kind)))
    return rows.cast(pa.schema(fields)).combine_chunks()
