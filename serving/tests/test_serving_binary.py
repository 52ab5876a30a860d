"""Binary tensors: what the bytes say is what JSON would say, and no bytes do harm."""

import json
import struct

import numpy as np
import orjson
import pyarrow as pa
import pytest
import tritonclient.http as triton
from asking import INFER
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock_hookspecs import Field, InvalidInput, Signature
from interlock_serving.v2.binary import split, wanted
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.protocol import read_columns, read_envelope

TYPES = {
    "BOOL": (pa.bool_(), "?"),
    "INT8": (pa.int8(), "<i1"),
    "UINT16": (pa.uint16(), "<u2"),
    "INT64": (pa.int64(), "<i8"),
    "FP16": (pa.float16(), "<f2"),
    "FP32": (pa.float32(), "<f4"),
    "FP64": (pa.float64(), "<f8"),
}
LOGICAL = {"BOOL": "bool", "FP16": "halffloat", "FP32": "float", "FP64": "double"}
easy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def columns_of(*datatypes, nullable=True):
    fields = [
        Field(name=each.lower(), type=LOGICAL.get(each, each.lower()), nullable=nullable)
        for each in datatypes
    ]
    return Columns(Signature(kind="regression", inputs=fields, outputs=()))


def tensor(name, datatype, shape, size):
    parameters = {"binary_data_size": size}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}


def read(columns, inputs, behind):
    envelope = read_envelope(orjson.dumps({"inputs": inputs}), memoryview(behind))
    return read_columns(envelope, columns, max_rows=1_000)


@pytest.mark.parametrize("datatype", TYPES)
@easy
@given(data=st.data())
def test_the_bytes_of_every_datatype_are_read(datatype, data):
    """Any numbers of a type come back as they were sent; NaN is null, and infinity refused."""
    kind, dtype = TYPES[datatype]
    size = np.dtype(dtype).itemsize
    rows = data.draw(st.integers(1, 5))
    content = data.draw(st.binary(min_size=size * rows, max_size=size * rows))
    if datatype == "BOOL":
        content = bytes(byte & 1 for byte in content)
    values = np.frombuffer(content, dtype)
    columns = columns_of(datatype)
    inputs = [tensor(datatype.lower(), datatype, [rows], len(content))]
    if datatype.startswith("FP") and np.isinf(values).any():
        with pytest.raises(InvalidInput, match="out of the range"):
            read(columns, inputs, content)
        return
    found, sent = read(columns, inputs, content)
    assert found == rows
    table = columns.table([sent, sent])
    expected = pa.array(np.tile(values, 2), kind, from_pandas=True)
    assert table.column(0).combine_chunks().equals(expected)


def test_a_matrix_mixed_types_and_texts_are_read(tensors):
    """Bytes and JSON stand side by side; a matrix is cut into columns; integers come as doubles."""
    columns = columns_of("FP64", "INT64")
    matrix = np.array([[1.5, 2.0], [np.nan, 4.0]])
    _, sent = read(columns, [tensor("m", "FP64", [2, 2], 32)], matrix.tobytes())
    assert columns.table([sent]).to_pydict() == {"fp64": [1.5, None], "int64": [2, 4]}
    plain = {"name": "int64", "datatype": "INT64", "shape": [2], "data": [7, 8]}
    _, mixed = read(columns, [plain, tensor("fp64", "FP64", [2], 16)], matrix[:, 1].tobytes())
    table = columns.table([mixed, sent])
    assert table.to_pydict() == {"fp64": [2.0, 4.0, 1.5, None], "int64": [7, 8, 2, 4]}


@pytest.mark.parametrize("hole", [2.5, np.nan])
def test_a_matrix_of_one_type_is_cut_into_columns(hole):
    """Several requests of a matrix make one table, with and without missing numbers."""
    fields = [Field(name=name, type="double") for name in "abc"]
    columns = Columns(Signature(kind="regression", inputs=fields, outputs=()))
    matrix = np.array([[1.0, 2.0, 3.0], [4.0, hole, 6.0]])
    _, sent = read(columns, [tensor("m", "FP64", [2, 3], 48)], matrix.tobytes())
    found = columns.table([sent, sent]).to_pydict()
    missing = 2.5 if hole == 2.5 else None
    assert found == {"a": [1.0, 4.0] * 2, "b": [2.0, missing] * 2, "c": [3.0, 6.0] * 2}
    matrix[1, 1] = np.inf
    with pytest.raises(InvalidInput, match="input 'b', row 1: a number out of the range"):
        read(columns, [tensor("m", "FP64", [2, 3], 48)], matrix.tobytes())


@pytest.mark.parametrize(
    ("inputs", "behind", "why"),
    [
        ([tensor("fp64", "FP64", [1], 8)], b"1234567", "8 bytes are said, 7 are there"),
        ([tensor("fp64", "FP64", [1], 8)], b"123456789", "1 bytes behind the JSON are of no input"),
        ([tensor("fp64", "FP64", [1], 7)], b"1234567", "no whole number of FP64"),
        ([tensor("fp64", "FP64", [1], 16)], b"\0" * 16, "2 values do not fill the shape"),
        ([tensor("fp64", "FP64", [1], -8)], b"", "no number of bytes"),
        ([tensor("fp64", "FP64", [1], "1")], b"\0", "no number of bytes"),
        ([tensor("fp64", "BF16", [1], 2)], b"\0\0", "the datatype is none of"),
        ([tensor("bool", "BOOL", [1], 1)], b"\2", "neither 0 nor 1"),
        ([tensor("fp64", "FP64", [1], 8)], struct.pack("<d", np.nan), "row 0: null, and the model"),
        ([tensor("fp64", "FP64", [2], 16)], struct.pack("<dd", 1, np.inf), "row 1: a number out"),
        ([{**tensor("fp64", "FP64", [1], 8), "data": [1.0]}], b"\0" * 8, "exclude each other"),
        ([tensor("s", "BYTES", [1], 3)], b"\0\0\0", "the length of a text is cut off"),
        ([tensor("s", "BYTES", [1], 5)], b"\xff\xff\xff\xffa", "longer than the bytes"),
        ([tensor("s", "BYTES", [1], 5)], b"\1\0\0\0\xff", "row 0: a text that is not UTF-8"),
    ],
)
def test_bytes_that_are_not_as_said_are_refused(inputs, behind, why):
    """The message names the input and what is wrong with its bytes."""
    with pytest.raises(InvalidInput, match=why):
        read(columns_of("FP64", "BOOL", nullable=False), inputs, behind)


@pytest.mark.parametrize("header", [b"-1", b"x", b"3", b"1e1", b"9" * 5000, b"\xb2"])
def test_a_length_of_the_json_that_is_none_is_refused(header):
    """The header is a plain number, up to the length of the body."""
    with pytest.raises(InvalidInput, match="no number of bytes up to the body's 2"):
        split(b"{}", header)


def test_a_flag_is_a_boolean():
    """Whether outputs come as bytes is said with true or false."""
    with pytest.raises(InvalidInput, match="neither true nor false"):
        wanted({"parameters": {"binary_data_output": "yes"}}, ("score",))


@pytest.fixture(scope="module")
def client(shared):
    """The public client of Triton's protocol, before a server of ours."""
    host, port = shared.at
    with triton.InferenceServerClient(f"{host}:{port}") as made:
        yield made


def triton_inputs(*, binary):
    values = {
        "age": np.array([40, 50], np.int64),
        "income": np.array([30_000.0, np.nan]),
        "city": np.array(["Lowell", "Orléans"], object),
    }
    made = []
    for name, array in values.items():
        sent = array
        if not binary and name == "income":
            sent = np.array([30_000.0, 10.0])  # its JSON has no NaN
        datatype = {"age": "INT64", "income": "FP64", "city": "BYTES"}[name]
        one = triton.InferInput(name, [2], datatype)
        one.set_data_from_numpy(sent, binary_data=binary)
        made.append(one)
    return made


@pytest.mark.real_backend
def test_the_public_client_learns_what_is_served(client):
    """Liveness, readiness and metadata are what the client expects them to be."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("employment")
    assert client.is_model_ready("employment", "1")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("employment")
    assert [each["name"] for each in metadata["inputs"]] == ["age", "income", "city"]


@pytest.mark.real_backend
@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("received", [True, False])
def test_the_public_client_gets_right_answers(client, logistic, sent, received):
    """Numbers, texts and missing values, in and out, as bytes and as JSON."""
    names = ("prediction", "score")
    outputs = [triton.InferRequestedOutput(name, binary_data=received) for name in names]
    answer = client.infer("employment", triton_inputs(binary=sent), outputs=outputs)
    model = logistic(1.0)
    second = {} if sent else {"income": 10.0}
    wanted = [
        model.score(age=40, income=30_000.0, city="Lowell"),
        model.score(age=50, city="Orléans", **second),
    ]
    assert answer.as_numpy("score").tolist() == pytest.approx(wanted)
    decided = [
        name.decode() if isinstance(name, bytes) else name
        for name in answer.as_numpy("prediction").tolist()
    ]
    assert decided == ["in work"] * 2
    assert answer.get_response()["model_version"] == "release-1"


@pytest.mark.real_backend
def test_the_public_client_asks_many_things_at_once(client):
    """Requests of several threads of the client are answered with their own rows."""
    calls = []
    for age in range(20):
        one = triton_inputs(binary=True)
        one[0].set_data_from_numpy(np.array([age, age], np.int64))
        calls.append(client.async_infer("employment", one))
    scores = [call.get_result().as_numpy("score")[0] for call in calls]
    assert scores == sorted(scores)
    assert len(set(scores)) == 20


@pytest.mark.real_backend
@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["age", "income", "city", "x"]),
            st.sampled_from(["INT64", "FP64", "BYTES", "BOOL", "FP16", "?"]),
            st.lists(st.integers(-1, 3), max_size=3),
            st.integers(-1, 40) | st.none(),
        ),
        max_size=4,
    ),
    st.binary(max_size=60),
    st.just(0) | st.integers(-30, 30),
)
def test_no_bytes_do_harm(shared, described, behind, off):
    """Whatever stands behind the JSON, and whatever is said of it, the answer is a 200 or 4xx."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": n}}
        for name, datatype, shape, n in described
    ]
    head = orjson.dumps({"inputs": inputs})
    status, _, value = shared.call(
        "POST",
        INFER,
        head + behind,
        inference_header_content_length=str(max(0, len(head) + off)),
        content_type="application/octet-stream",
    )
    assert status == 200 or 400 <= status < 500, json.dumps(value)
    assert ("error" in value) == (status != 200)
