"""The protocol's functions by themselves: what goes in as JSON comes out as the model's columns."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock_hookspecs import Field, InvalidInput, Signature, Unsupported, fields_of
from interlock_serving.v2.column import datatype_of
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.protocol import read_columns, read_envelope, read_outputs

KINDS = {
    "bool": (pa.bool_(), st.booleans()),
    "int8": (pa.int8(), st.integers(-128, 127)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "float": (pa.float32(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "double": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "string": (pa.string(), st.text(st.characters(codec="utf-8"))),
    "date32[day]": (pa.date32(), st.dates()),
    "timestamp[us]": (pa.timestamp("us"), st.datetimes()),
    "timestamp[us, tz=UTC]": (
        pa.timestamp("us", "UTC"),
        st.datetimes(
            datetime(1800, 1, 1, tzinfo=UTC).replace(tzinfo=None),
            datetime(2200, 1, 1, tzinfo=UTC).replace(tzinfo=None),
            timezones=st.just(UTC),
        ),
    ),
}


def columns_of(*fields, **more):
    return Columns(Signature(kind="regression", inputs=fields, outputs=(), **more))


def read(columns, *tensors, max_rows=1_000, **more):
    body = orjson.dumps({"inputs": list(tensors), **more})
    return read_columns(read_envelope(body), columns, max_rows=max_rows)


def tensor(name, datatype, data, shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 5))
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, unique=True))
    arrays = {}
    for name in names:
        kind, values = KINDS[name]
        column = draw(st.lists(values | st.none(), min_size=rows, max_size=rows))
        arrays[name] = pa.array(column, kind)
    return pa.table(arrays)


@given(tables())
def test_columns_survive_the_protocol(table):
    """Any table sent as JSON, one tensor a column, is the table that the model gets."""
    columns = columns_of(*fields_of(table))
    sent = [
        tensor(field.name, datatype_of(field.type), table[field.name].to_pylist())
        for field in fields_of(table)
    ]
    rows, found = read(columns, *sent)
    assert rows == table.num_rows
    assert columns.table([found]).equals(table)


@given(st.lists(tables(), min_size=2, max_size=4).map(lambda all_: [all_[0]] * len(all_)))
def test_requests_are_joined_in_order(same):
    """Requests that are scored together make one table, the rows of each after the other's."""
    table = same[0]
    columns = columns_of(*fields_of(table))
    requests = [{name: table[name].to_pylist() for name in table.column_names} for _ in same]
    assert columns.table(requests).equals(pa.concat_tables(same).combine_chunks())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(["x", "city", "INT64", "FP64", "BYTES"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["inputs", "name", "datatype", "shape", "data", "id", "outputs"]), inner
        )
    ),
    max_leaves=20,
)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "city", "input"]) | json_values,
        "datatype": st.sampled_from(["INT64", "FP64", "BYTES", "BOOL"]) | json_values,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | json_values,
        "data": st.lists(json_values, max_size=4) | json_values,
    }
)


@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(tensors, max_size=3) | json_values},
        optional={"outputs": json_values, "id": json_values, "parameters": json_values},
    )
    | json_values
)
@example({"inputs": [tensor("x", "INT64", [1]), tensor("city", "BYTES", ["a"])]})
def test_any_json_is_read_or_refused(body):
    """Whatever JSON arrives is a table that Arrow takes, or is refused as invalid input."""
    fields = (Field(name="x", type="int64"), Field(name="city", type="string"))
    columns = columns_of(*fields)
    try:
        envelope = read_envelope(orjson.dumps(body))
        rows, found = read_columns(envelope, columns, max_rows=100)
        read_outputs(envelope, Signature(kind="regression", inputs=fields, outputs=()))
    except InvalidInput:
        return
    assert columns.table([found]).num_rows == rows


@given(st.binary())
def test_any_bytes_are_read_or_refused(body):
    """Whatever bytes arrive are an object of JSON or refused."""
    try:
        envelope = read_envelope(body)
    except InvalidInput:
        return
    assert isinstance(envelope.body, dict)


def test_a_whole_number_sent_as_float_is_an_integer():
    """3.0 fills an integer column exactly; 2^53 + 2 as a float may have been another number."""
    columns = columns_of(Field(name="x", type="int64"))
    assert read(columns, tensor("x", "FP64", [3.0, None])) == (2, {"x": [3, None]})
    with pytest.raises(InvalidInput, match="INT64 does not hold exactly"):
        read(columns, tensor("x", "FP64", [float(2**53 + 2)]))


def test_an_integer_fills_a_float_column():
    """3 is a number for a column of doubles, however large."""
    columns = columns_of(Field(name="x", type="double"))
    _, found = read(columns, tensor("x", "INT64", [3, 2**63 - 1]))
    assert columns.table([found])["x"].to_pylist() == [3.0, float(2**63)]


def test_a_number_beyond_a_float32_is_refused():
    """A double that would become infinite in the model's column is out of its range."""
    columns = columns_of(Field(name="x", type="float"))
    with pytest.raises(InvalidInput, match="out of the range of FP32"):
        read(columns, tensor("x", "FP64", [1e300]))
    assert math.isinf(float("1e999"))


def test_times_are_text_in_iso_8601():
    """A time in any zone is an instant; a date is a date; a time without its zone is refused."""
    columns = columns_of(
        Field(name="at", type="timestamp[us, tz=UTC]"), Field(name="day", type="date32[day]")
    )
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    day = tensor("day", "BYTES", ["2026-01-01"])
    _, found = read(columns, tensor("at", "BYTES", [at.isoformat()]), day)
    assert columns.table([found]).to_pylist() == [{"at": at, "day": date(2026, 1, 1)}]
    for text in ("2026-01-01T12:00:00", "yesterday", ""):
        with pytest.raises(InvalidInput, match="'at', row 0: a text that is no timestamp"):
            read(columns, tensor("at", "BYTES", [text]), day)


def test_id_and_time_may_stand_beside_a_tensor_of_features():
    """The id column is read beside a tensor of all features, and nobody has to send it."""
    columns = columns_of(
        Field(name="a", type="double"),
        Field(name="b", type="double"),
        id=Field(name="person", type="int64"),
    )
    matrix = tensor("all", "FP64", [1.0, 2.0, 3.0, 4.0], [2, 2])
    assert read(columns, tensor("person", "INT64", [7, 8]), matrix) == (
        2,
        {"a": [1.0, 3.0], "b": [2.0, 4.0], "person": [7, 8]},
    )
    assert read(columns, matrix)[1].columns().keys() == {"a", "b"}


def test_the_order_of_inputs_does_not_matter():
    """Columns come in the model's order, whatever the client's."""
    columns = columns_of(Field(name="a", type="int64"), Field(name="b", type="int64"))
    _, found = read(columns, tensor("b", "INT64", [2]), tensor("a", "INT64", [1]))
    assert list(found) == ["a", "b"]


def test_a_column_that_json_cannot_carry_is_unsupported():
    """A binary or nested column has no datatype; the model is refused before it is served."""
    for kind in ("binary", "list<int64>", "decimal128(3, 2)"):
        with pytest.raises(Unsupported, match="no datatype"):
            columns_of(Field(name="x", type=kind))
