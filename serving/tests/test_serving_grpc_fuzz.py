"""Messages of gRPC that nobody would send: each is answered or refused, and none is a fault."""

import math

import grpc
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rpc_client import ROWS, channel, methods, request

from interlock_hookspecs import Field, InvalidInput, Signature
from interlock_serving.rpc.messages import read_message
from interlock_serving.v2.column import DATATYPES
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.protocol import read_columns

pytestmark = pytest.mark.real_backend

FINE = {"OK", "INVALID_ARGUMENT", "NOT_FOUND"}
hard = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
VALUES = {
    "bool_contents": st.booleans(),
    "int_contents": st.integers(-(2**31), 2**31 - 1),
    "int64_contents": st.integers(-(2**63), 2**63 - 1),
    "uint_contents": st.integers(0, 2**32 - 1),
    "uint64_contents": st.integers(0, 2**64 - 1),
    "fp32_contents": st.floats(width=32),
    "fp64_contents": st.floats(),
    "bytes_contents": st.binary(max_size=8),
}
NAMES = st.sampled_from(["age", "income", "city", "person", "year", "x"]) | st.text(max_size=5)
KINDS = st.sampled_from([*DATATYPES, "BF16", ""]) | st.text(max_size=5)
SIZES = st.integers(0, 4) | st.integers(-(2**63), 2**63 - 1)
PARAMETERS = st.dictionaries(
    st.sampled_from(["sticky_key", "timeout", "binary_data_output", "x"]),
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=5)
    | st.floats()
    | st.none(),
    max_size=3,
)


def put(parameters, values):
    """Parameters of any kind; none is one that says nothing."""
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    for name, value in values.items():
        if value is None:
            parameters[name].SetInParent()
        else:
            setattr(parameters[name], kinds[type(value)], value)


@st.composite
def messages(draw):
    """A message of the right class; often near to what is taken."""
    message = methods()["ModelInfer"].request(
        model_name=draw(st.sampled_from(["employment"] * 9 + ["other"])),
        model_version=draw(st.sampled_from(["", "", "", "1", "7"])),
        id=draw(st.sampled_from(["", "call-1"]) | st.text(max_size=5)),
    )
    put(message.parameters, draw(PARAMETERS))
    near = draw(st.booleans())
    names = ["age", "income", "city"] if near else draw(st.lists(NAMES, max_size=5))
    rows = draw(st.integers(0, 3))
    for name in names:
        datatype = draw(KINDS)
        shape = [rows] if near else draw(st.lists(SIZES, max_size=3))
        tensor = message.inputs.add(name=name, datatype=datatype, shape=shape)
        for field in draw(st.lists(st.sampled_from([*VALUES]), max_size=2)):
            some = st.lists(VALUES[field], min_size=rows if near else 0, max_size=rows or 5)
            getattr(tensor.contents, field).extend(draw(some))
    if draw(st.booleans()):
        parts = st.lists(st.binary(max_size=40), min_size=len(names) if near else 0, max_size=5)
        message.raw_input_contents.extend(draw(parts))
    for name in draw(st.lists(st.sampled_from(["score", "prediction"]) | st.text(), max_size=3)):
        message.outputs.add(name=name)
    return message


class Constant:
    """A model that answers whatever rows there are."""

    def __init__(self, signature):
        self.signature = signature

    def predict(self, rows):
        return pa.table({"score": [0.5] * rows.num_rows})


@pytest.fixture(scope="module")
def asked(serving, target):
    limits = {"max_rows": 50, "max_body": 100_000}
    model = Constant(target(1).predictor.signature)
    with (
        serving(target(1, model), grpc_port=0, **limits) as client,
        channel(client) as opened,
    ):
        yield opened


def code_of(asked, message):
    try:
        asked.send("ModelInfer", message)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


@hard
@given(message=messages())
def test_any_message_is_answered_or_refused(asked, message):
    """With a code that says whose fault it is, and that is the client's."""
    assert code_of(asked, message) in FINE


@hard
@given(data=st.data(), content=st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(asked, data, content):
    """What is no message at all, and a good one with bytes of it changed."""
    good = request(*ROWS, raw=data.draw(st.booleans())).SerializeToString()
    place = data.draw(st.integers(0, len(good)))
    for sent in (content, good[:place] + content[:3] + good[place + len(content[:3]) :]):
        assert code_of(asked, sent) in {*FINE, "DEADLINE_EXCEEDED"}
    assert code_of(asked, good) == "OK"


TYPED = {
    "BOOL": (pa.bool_(), "bool_contents", st.booleans()),
    "INT8": (pa.int8(), "int_contents", st.integers(-(2**7), 2**7 - 1)),
    "INT64": (pa.int64(), "int64_contents", VALUES["int64_contents"]),
    "UINT16": (pa.uint16(), "uint_contents", st.integers(0, 2**16 - 1)),
    "UINT64": (pa.uint64(), "uint64_contents", VALUES["uint64_contents"]),
    "FP32": (pa.float32(), "fp32_contents", VALUES["fp32_contents"]),
    "FP64": (pa.float64(), "fp64_contents", VALUES["fp64_contents"]),
    "BYTES": (pa.string(), "bytes_contents", st.text(max_size=5).map(str.encode)),
}
LOGICAL = {"BOOL": "bool", "FP32": "float", "FP64": "double", "BYTES": "string"}


@pytest.mark.parametrize("datatype", TYPED)
@settings(deadline=None)
@given(data=st.data())
def test_the_contents_of_every_datatype_are_read(datatype, data):
    """Any values come as they were sent; NaN is a missing one, and infinity refused."""
    kind, field, strategy = TYPED[datatype]
    values = data.draw(st.lists(strategy, min_size=1, max_size=5))
    name = LOGICAL.get(datatype, datatype.lower())
    fields = [Field(name="x", type=name, nullable=True)]
    columns = Columns(Signature(kind="regression", inputs=fields, outputs=()))
    message = methods()["ModelInfer"].request()
    tensor = message.inputs.add(name="x", datatype=datatype, shape=[len(values)])
    getattr(tensor.contents, field).extend(values)
    if datatype.startswith("FP") and any(map(math.isinf, values)):
        with pytest.raises(InvalidInput, match="out of the range"):
            read_columns(read_message(message), columns, max_rows=10)
        return
    rows, sent = read_columns(read_message(message), columns, max_rows=10)
    assert rows == len(values)
    expected = [value.decode() if datatype == "BYTES" else value for value in values]
    table = columns.table([sent])
    assert table.column(0).combine_chunks().equals(pa.array(expected, kind, from_pandas=True))
