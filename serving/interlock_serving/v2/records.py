"""Rows as JSON objects, for callers that have records: read into columns, answered as records.

The Open Inference Protocol sends columns as tensors. This is beside it, for a batch of rows that
each name their columns, and its schema says exactly what is taken. Pure functions.
"""

from __future__ import annotations

from typing import Any

import orjson

from interlock_hookspecs import InvalidInput, Release
from interlock_serving.v2.answers import Answer
from interlock_serving.v2.column import EXACT, Column
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.matrix import Values
from interlock_serving.v2.protocol import Envelope, TooLarge, nearest, shown


def read_records(envelope: Envelope, columns: Columns, *, max_rows: int) -> tuple[int, Values]:
    """The number of rows, and the values of each column, in the model's order.

    A row has every feature; the id and time columns may be in it. One that some rows have is
    null in the others.

    Raises:
        InvalidInput: a row lacks a feature, has an unknown column, or a value that does not fit.
        TooLarge: more than ``max_rows``.
    """
    rows = envelope.body.get("rows")
    if type(rows) is not list or not rows:
        raise InvalidInput('"rows" is missing: send a list with an object for each row')
    if len(rows) > max_rows:
        raise TooLarge(f"{len(rows)} rows: this server takes up to {max_rows} in a request")
    known = columns.by_name.keys()
    given: set[str] = set()
    for place, row in enumerate(rows):
        if type(row) is not dict:
            raise InvalidInput(f"rows[{place}] is no JSON object")
        names = row.keys()
        if not columns.required <= names:
            missing = next(each.name for each in columns.features if each.name not in names)
            raise InvalidInput(f"rows[{place}] lacks {missing!r}")
        if not names <= known:
            name = next(name for name in names if name not in known)
            raise InvalidInput(f"rows[{place}]: {shown(name)} is unknown{nearest(name, known)}")
        given |= names
    return len(rows), {
        name: _read(column, [row.get(name) for row in rows])
        for name, column in columns.by_name.items()
        if name in given
    }


def write_records(name: str, release: Release, request_id: str, answer: Answer) -> bytes:
    """An answer as records, in the order of the request."""
    names = [output for output, _, _ in answer.outputs]
    columns = [values for _, _, values in answer.outputs]
    return orjson.dumps(
        {
            "model_name": name,
            "model_version": release.id,
            "id": request_id,
            "parameters": {"release": release.id, "number": release.number},
            "rows": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
        }
    )


def _read(column: Column, values: list[Any]) -> Any:
    if "INT" in column.datatype and any(type(value) is float for value in values):
        values = [_whole(value) for value in values]
    return column.read(values, column.datatype)


def _whole(value: Any) -> Any:
    # JSON Schema has 3.0 for an integer. Beyond 2^53 a double is not what was written.
    exact = type(value) is float and value.is_integer() and abs(value) <= EXACT
    return int(value) if exact else value
