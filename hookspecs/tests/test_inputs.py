"""A model's inputs in a table: what is read as a number or a text, and what is refused."""

from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from interlock_hookspecs import Field, InvalidInput, input_column, input_place, is_number

NUMBER, TEXT = Field(name="x", type="double"), Field(name="x", type="string")


@pytest.mark.parametrize(
    ("column", "read"),
    [
        (pa.array([1.5, None]), [1.5, None]),
        (pa.array([1, -2], pa.int8()), [1.0, -2.0]),
        (pa.array([2**53 + 1], pa.int64()), [float(2**53)]),
        (pa.array([7], pa.uint64()), [7.0]),
        (pa.array([np.float16(0.5)], pa.float16()), [0.5]),
        (pa.array([Decimal("0.25")], pa.decimal128(9, 2)), [0.25]),
        (pa.array([True, False, None]), [1.0, 0.0, None]),
        (pa.array([None, None], pa.null()), [None, None]),
        (pa.array([3, 3, 4]).dictionary_encode(), [3.0, 3.0, 4.0]),
    ],
    ids=str,
)
def test_a_number_is_read_as_a_double(column, read):
    """Whatever kind of number it is, and where it has none, as null."""
    found = input_column(pa.table({"other": column, "x": column}), NUMBER)
    assert found.type == pa.float64()
    assert found.to_pylist() == read


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, ""]),
        pa.array(["a", None, ""], pa.large_string()),
        pa.array(["a", None, ""]).dictionary_encode(),
        pa.chunked_array([["a"], [None, ""]]),
    ],
    ids=["string", "large", "dictionary", "chunks"],
)
def test_a_text_is_read_as_one_array_of_strings(column):
    """However wide, encoded or cut up its storage is."""
    found = input_column(pa.table({"x": column}), TEXT)
    assert isinstance(found, pa.Array)
    assert found.type == pa.string()
    assert found.to_pylist() == ["a", None, ""]


def test_nulls_alone_are_texts_too():
    """A column without a type is what the model takes, all of it missing."""
    assert input_column(pa.table({"x": pa.nulls(2)}), TEXT).to_pylist() == [None, None]


@pytest.mark.parametrize("field", [NUMBER, TEXT], ids=["number", "text"])
def test_no_rows_are_an_empty_array(field):
    """The type is the one that rows would have."""
    column = pa.chunked_array([], pa.int32() if field is NUMBER else pa.large_string())
    found = input_column(pa.table({"x": column}), field)
    assert len(found) == 0
    assert is_number(str(found.type)) is (field is NUMBER)


@pytest.mark.parametrize(
    ("column", "field", "said"),
    [
        (pa.array(["1"]), NUMBER, "column 'x' is string, the model takes double"),
        (pa.array([1]), TEXT, "column 'x' is int64, the model takes string"),
        (pa.array([True]), TEXT, "column 'x' is bool, the model takes string"),
        (pa.array([date(2026, 1, 1)]), NUMBER, "column 'x' is date32.*, the model takes double"),
        (pa.array([b"a"]), TEXT, "column 'x' is binary, the model takes string"),
        (pa.array([[1.0]]), NUMBER, "column 'x' is list<double>, the model takes double"),
    ],
)
def test_a_column_of_another_type_is_refused(column, field, said):
    """The message names the column, what it is and what is taken, and no value of a row."""
    rows = pa.table({"x": column})
    with pytest.raises(InvalidInput, match=said):
        input_column(rows, field)
    with pytest.raises(InvalidInput, match=said):
        input_place(rows.schema, field)


def test_a_column_that_is_not_there_is_named():
    """A name in another case is another name."""
    with pytest.raises(InvalidInput, match="no column 'x', which the model takes"):
        input_column(pa.table({"X": [1.0]}), NUMBER)


def test_a_name_that_two_columns_have_is_none():
    """Which of the two is meant, nothing says."""
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["x", "x"])
    with pytest.raises(InvalidInput, match="no column 'x'"):
        input_place(twice.schema, NUMBER)
