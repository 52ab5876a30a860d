"""Columns: what their types are called, what they become in a snapshot, and how files agree."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from interlock_hookspecs import InvalidInput, Task, logical_type

if TYPE_CHECKING:
    import pyarrow as pa

Types = dict[str, "pa.DataType"]
"""Column names, in order, with their snapshot types."""

_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]+)\]")
_DECIMAL = re.compile(r"decimal(?:128)?\((\d+), ?(-?\d+)\)")
_COMMON = (
    "bool",
    "int64",
    "double",
    "string",
    "date32",
    "timestamp[us]",
    "timestamp[us, tz=UTC]",
)


def parse_type(name: str) -> pa.DataType | None:
    """The Arrow type behind a logical type's name, or None where it names none.

    >>> str(parse_type("timestamp[us, tz=UTC]")), str(parse_type("float64"))
    ('timestamp[us, tz=UTC]', 'double')
    """
    import pyarrow as pa

    if zoned := _ZONED.fullmatch(name):
        return pa.timestamp(zoned[1], zoned[2])
    if decimal := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def stated_types(task: Task) -> Types:
    """The types that ``[task.types]`` states, as a snapshot holds them.

    Raises:
        InvalidInput: a name is no type.
    """
    stated: Types = {}
    for column, name in task.types.items():
        kind = parse_type(str(name))
        if kind is None:
            near = difflib.get_close_matches(str(name), _COMMON, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(_COMMON)}"
            msg = f"[task.types] {column} = {name!r} is no type: {meant}"
            raise InvalidInput(msg)
        stated[column] = snapshot_type(kind) or kind
    return stated


def snapshot_type(kind: pa.DataType) -> pa.DataType | None:
    """The type that a column has in a snapshot, or None where a snapshot cannot hold it.

    What storage alone decides goes (dictionaries, runs, wide offsets, views), and what Parquet
    would change on the way (seconds, date64) is changed before the digest is taken, so that the
    artifact read back has the digest on record.
    """
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return snapshot_type(kind.value_type)
    plain = {"string": pa.string(), "binary": pa.binary()}.get(logical_type(kind))
    if plain is not None:
        return plain
    if t.is_date64(kind):
        return pa.date32()
    if t.is_timestamp(kind) and kind.unit == "s":
        return pa.timestamp("ms", kind.tz)
    if t.is_time32(kind):
        return pa.time32("ms")
    if t.is_list(kind) or t.is_large_list(kind):
        item = snapshot_type(kind.value_type)
        return None if item is None else pa.list_(item)
    if t.is_struct(kind):
        inner = [(field.name, snapshot_type(field.type)) for field in kind]
        return None if any(found is None for _, found in inner) else pa.struct(inner)
    held = (t.is_primitive(kind) and not t.is_interval(kind)) or t.is_null(kind)
    return kind if held or t.is_decimal(kind) else None


def snapshot_types(schema: pa.Schema, name: str) -> Types:
    """The columns of one file with their snapshot types.

    Raises:
        InvalidInput: a column has no name, the name of another, or a type that no snapshot holds.
    """
    types: Types = {}
    for position, field in enumerate(schema, start=1):
        if not field.name:
            msg = f"{name}: column {position} has no name"
            raise InvalidInput(msg)
        if field.name in types:
            msg = f"{name}: two columns are named {field.name!r}"
            raise InvalidInput(msg)
        kind = snapshot_type(field.type)
        if kind is None:
            msg = f"{name}: column {field.name!r} is {field.type}, which a snapshot cannot hold"
            raise InvalidInput(msg)
        types[field.name] = kind
    return types


def agreed(found: Iterable[tuple[str, Types]], stated: Mapping[str, pa.DataType]) -> Types:
    """The columns that all files have in common, in the first file's order.

    A column that a file holds nothing in (type null) takes its type from the others.

    Args:
        found: each file's name and columns; at least one.
        stated: what ``[task.types]`` says; columns that are not there do not matter.

    Raises:
        InvalidInput: a column is missing, is new, or changed its type between files, or is of
            another type than stated.
    """
    import pyarrow.types as t

    pairs = list(found)
    first, columns = pairs[0][0], dict(pairs[0][1])
    origin = dict.fromkeys(columns, first)
    for name, types in pairs[1:]:
        for column in [*columns, *types]:
            if (column in columns) != (column in types):
                here, there = (name, first) if column in types else (first, name)
                msg = (
                    f"column {column!r} is in {here} and not in {there}: "
                    "files of one dataset have the same columns"
                )
                raise InvalidInput(msg)
        for column, kind in types.items():
            if t.is_null(columns[column]):
                columns[column], origin[column] = kind, name
            elif kind != columns[column] and not t.is_null(kind):
                msg = (
                    f"column {column!r} changed type: {columns[column]} in {origin[column]}, "
                    f"{kind} in {name}; say [task.types] {column} = ... for CSV, else convert one"
                )
                raise InvalidInput(msg)
    for column, kind in stated.items():
        if column in columns and columns[column] != kind:
            msg = (
                f"column {column!r} is {columns[column]} in {origin[column]}, and "
                f"[task.types] says {kind}: change either"
            )
            raise InvalidInput(msg)
    return columns


def refuse_naive_time(types: Types, task: Task, name: str) -> None:
    """Refuse an event time without a zone: windows over it would mean other hours elsewhere.

    Raises:
        InvalidInput: it is naive; the message says what to write.
    """
    import pyarrow.types as t

    kind = types.get(task.time or "")
    if kind is not None and t.is_timestamp(kind) and kind.tz is None:
        msg = (
            f"{name}: the time column {task.time!r} has no time zone ({kind}): write its times "
            "with one, as 2018-01-01T00:00:00Z in CSV or timestamp[us, tz=UTC] in Parquet and Arrow"
        )
        raise InvalidInput(msg)


def converted(batch: pa.RecordBatch, types: Types) -> pa.RecordBatch:
    """The rows of a batch in the order and the types of a snapshot, every NaN the same NaN.

    Raises:
        pyarrow.ArrowInvalid: a value does not fit the type.
    """
    import pyarrow as pa

    arrays = [_held(batch.column(name), kind) for name, kind in types.items()]
    schema = pa.schema(list(types.items()))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _held(array: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow.compute as pc
    import pyarrow.types as t

    if t.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if array.type != kind:
        array = array.cast(kind)
    if t.is_floating(kind):
        # Parquet keeps a NaN's bits, and the digest does not count them.
        nans = pc.is_nan(array)
        if pc.any(nans).as_py():
            array = pc.if_else(nans, pc.cast(float("nan"), kind), array)
    return array
