"""Requests of the usual form are read at once, and as any other is read."""

import numpy as np
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_hookspecs import Field, InvalidInput, Signature
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.matrix import Matrix
from interlock_serving.v2.protocol import read_columns, read_envelope

KINDS = {"a": "double", "b": "double", "n": "int32", "s": "string", "t": "bool"}
DATATYPES = {"double": "FP64", "int32": "INT32", "string": "BYTES", "bool": "BOOL"}
ODD = (None, True, 0, 1, -1, 2**31, 2**63, 0.5, 3.0, 1e308, -1e308, "x", "", [], [1.0], {})
easy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def columns_of(names="abnst", *, nullable=True):
    fields = tuple(Field(name=name, type=KINDS[name], nullable=nullable) for name in names)
    return Columns(Signature(kind="regression", inputs=fields, outputs=()))


def outcome(columns, inputs):
    """What a request comes to: its rows and values, or the error."""
    envelope = read_envelope(orjson.dumps({"inputs": inputs}))
    try:
        rows, found = read_columns(envelope, columns, max_rows=3)
    except InvalidInput as error:
        return str(error)
    values = found.columns() if isinstance(found, Matrix) else found
    return rows, {name: [(type(value), value) for value in each] for name, each in values.items()}


def plain(name, rows, shape=None):
    values = {"double": 1.5, "int32": 7, "string": "x", "bool": True}
    kind = KINDS[name]
    return {
        "name": name,
        "datatype": DATATYPES[kind],
        "shape": shape or [rows],
        "data": [values[kind]] * rows,
    }


@st.composite
def requests(draw):
    """A usual request in which some things are odd."""
    rows = draw(st.integers(1, 4))
    names = draw(st.permutations("abnst"))
    inputs = [plain(name, rows) for name in names]
    for _ in range(draw(st.integers(0, 2))):
        tensor = draw(st.sampled_from(inputs))
        key = draw(st.sampled_from(["name", "datatype", "shape", "data", "value"]))
        shapes = ([1], [2], [rows, 1], [1, rows], [True], [float(rows)], [], "1", [0])
        tensor[key] = draw(
            {
                "name": st.sampled_from([*"abz", 1, None, []]),
                "datatype": st.sampled_from([*DATATYPES.values(), "FP32", "INT8", "?", None, []]),
                "shape": st.sampled_from(shapes),
                "data": st.lists(st.sampled_from(ODD), max_size=4) | st.sampled_from([None, "x"]),
            }.get(key, st.none())
        )
        if key == "value" and type(tensor.get("data")) is list and tensor["data"]:
            place = draw(st.integers(0, len(tensor["data"]) - 1))
            tensor["data"][place] = draw(st.sampled_from(ODD))
    return inputs


@easy
@given(requests(), st.booleans())
def test_a_known_form_is_read_as_an_unknown_one(inputs, nullable):
    """Whether a server has met the form of a request before makes no difference to what it says."""
    known, unknown = columns_of(nullable=nullable), columns_of(nullable=nullable)
    for rows in (1, 2):
        order = [tensor["name"] for tensor in inputs]
        if sorted(map(str, order)) == sorted("abnst"):
            outcome(known, [plain(name, rows) for name in order])
    assert outcome(known, inputs) == outcome(unknown, inputs)


@easy
@given(
    st.sampled_from(["FP64", "FP32", "INT32", "?"]),
    st.sampled_from([[1, 2], [2, 2], [2, 1], [4], [1, 4], [True, 2], [2.0, 2], [4, 2], [0, 2]]),
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(ODD), max_size=8),
    st.sampled_from(["m", "a", 1]),
)
def test_a_tensor_of_all_features_is_read_as_its_columns(datatype, shape, data, name):
    """One tensor is taken, or refused, as it would be column by column."""
    columns = columns_of("ab")
    tensor = {"name": name, "datatype": datatype, "shape": shape, "data": data}
    usual = columns.usual.read([tensor], 3)
    said = outcome(columns, [tensor])
    columns.usual.read = lambda *_: None
    assert said == outcome(columns, [tensor])
    if usual is not None:
        assert said == (
            usual[0],
            {
                key: [(type(value), value) for value in values]
                for key, values in usual[1].columns().items()
            },
        )


def test_the_usual_requests_are_read_at_once():
    """A form that was met once is known, in every order and with nulls; so is a plain tensor."""
    columns = columns_of()
    inputs = [plain(name, 2) for name in "tsnba"]
    assert columns.usual.read(inputs, 3) is None
    first = read_columns(read_envelope(orjson.dumps({"inputs": inputs})), columns, max_rows=3)
    assert columns.usual.read(inputs, 3) == first
    inputs[0]["data"][1] = None
    assert columns.usual.read(inputs, 3)[1]["t"] == [True, None]
    tensor = {"name": "m", "datatype": "FP64", "shape": [2, 2], "data": [1.0, 2.0, 3.0, 4.0]}
    rows, matrix = columns_of("ab").usual.read([tensor], 3)
    assert (rows, matrix.columns()) == (2, {"a": [1.0, 3.0], "b": [2.0, 4.0]})


def test_whole_numbers_for_doubles_are_usual():
    """Many languages write 3 for 3.0; what is read is a double in each form of a request."""
    columns = columns_of("as")
    inputs = [plain("a", 2), plain("s", 2)]
    read_columns(read_envelope(orjson.dumps({"inputs": inputs})), columns, max_rows=3)
    for data, doubles in (([3, 2**53 + 1], [3.0, 2.0**53]), ([None, 7], [None, 7.0])):
        inputs[0]["data"] = data
        rows, values = columns.usual.read(inputs, 3)
        assert (rows, values["a"]) == (2, doubles)
        assert [type(value) for value in values["a"]] == [type(value) for value in doubles]
        tensor = {"name": "m", "datatype": "FP64", "shape": [1, 2], "data": data}
        usual = columns_of("ab").usual.read([tensor], 3)[1]
        assert usual.columns() == {"a": doubles[:1], "b": doubles[1:]}
        expected = [np.nan if value is None else value for value in doubles]
        assert np.array_equal(usual.array, [expected], equal_nan=True)
    inputs[0]["data"] = [True, 3]
    assert columns.usual.read(inputs, 3) is None
