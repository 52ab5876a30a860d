"""A model's inputs in a table of rows: found by name, and read as the numbers or texts they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.digests import logical_type
from interlock_hookspecs.errors import InvalidInput
from interlock_hookspecs.tasks import Field

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("int", "uint", "float", "halffloat", "double", "bool", "decimal")


def is_number(kind: str) -> bool:
    """Whether an input of this logical type is given to a model as a number, and not as a text.

    >>> is_number("int64"), is_number("decimal128(9, 2)"), is_number("bool"), is_number("string")
    (True, True, True, False)
    """
    return kind.startswith(_NUMBERS)


def input_place(schema: pa.Schema, field: Field) -> int:
    """Which column of a table a model's input is: any number for a number, a text for a text.

    A column of nulls alone, which has no type, is either.

    Args:
        schema: of the rows to score.
        field: of `Signature.inputs`.

    Raises:
        InvalidInput: there is no column of that name, or it holds something else.

    >>> import pyarrow as pa
    >>> schema = pa.schema([("sex", pa.string()), ("age", pa.int8())])
    >>> input_place(schema, Field(name="age", type="double"))
    1
    """
    import pyarrow as pa

    place: int = schema.get_field_index(field.name)
    if place < 0:
        raise InvalidInput(f"the rows have no column {field.name!r}, which the model takes")
    number, kind = is_number(field.type), schema.field(place).type
    if kind != (pa.float64() if number else pa.string()):
        found = logical_type(kind)
        fits = is_number(found) if number else found == "string"
        if not fits and found != "null":
            raise InvalidInput(f"column {field.name!r} is {found}, the model takes {field.type}")
    return place


def input_column(rows: pa.Table, field: Field) -> pa.Array:
    """A model's input as one array, [n]: float64 for a number, string for a text.

    A Boolean is 0 or 1. An integer or a decimal becomes the nearest double.

    Args:
        rows: the rows to score, n of them.
        field: of `Signature.inputs`.

    Raises:
        InvalidInput: there is no column of that name, or it holds something else.

    >>> import pyarrow as pa
    >>> rows = pa.table({"age": [41, None], "sex": ["f", None]})
    >>> input_column(rows, Field(name="age", type="int64")).to_pylist()
    [41.0, None]
    """
    import pyarrow as pa

    column = rows.column(input_place(rows.schema, field))
    wanted = pa.float64() if is_number(field.type) else pa.string()
    if column.type != wanted:
        if logical_type(column.type) == "bool":
            column = column.cast(pa.uint8())  # Arrow casts no Boolean to a double
        column = column.cast(wanted, safe=False)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
