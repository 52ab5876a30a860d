"""gRPC: the same answers as over HTTP, by the official protocol."""

import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from asking import ROW
from rpc_client import ROWS, SERVICE, channel, methods, refused, request

from interlock_hookspecs import Field, Signature
from interlock_serving.rpc import schema

pytestmark = pytest.mark.real_backend


@pytest.fixture(scope="module")
def both(serving, target):
    """An endpoint over HTTP and gRPC, and a channel to it."""
    limits = {"max_body": 100_000, "max_rows": 50}
    with serving(target(1), grpc_port=0, **limits) as client, channel(client) as asked:
        yield client, asked


def test_the_service_is_as_its_makers_publish_it(tmp_path):
    """What is read at run time is what protoc makes of the .proto that stands beside it."""
    folder = Path(schema.__file__).parent
    made = tmp_path / "made.binpb"
    subprocess.run(
        [
            sys.executable,
            *("-m", "grpc_tools.protoc", f"-I{folder}", f"--descriptor_set_out={made}"),
            "open_inference_grpc.proto",
        ],
        check=True,
    )
    assert made.read_bytes() == (folder / "open_inference_grpc.binpb").read_bytes()
    assert set(methods()) == {
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
    }


def test_the_server_and_its_model_are_described(both):
    """As HTTP describes them."""
    client, asked = both
    assert asked.call("ServerLive").live
    assert asked.call("ServerReady").ready
    said = asked.call("ServerMetadata")
    status, expected = client.get("/v2")
    assert status == 200
    assert {
        "name": said.name,
        "version": said.version,
        "extensions": [*said.extensions],
    } == expected
    for version in ("", "1", "release-1"):
        assert asked.call("ModelReady", name="employment", version=version).ready
        found = asked.call("ModelMetadata", name="employment", version=version)
        _, expected = client.get("/v2/models/employment")
        tensors = [
            {"name": each.name, "datatype": each.datatype, "shape": [*each.shape]}
            for each in (*found.inputs, *found.outputs)
        ]
        assert tensors == expected["inputs"] + expected["outputs"]
        assert (found.name, [*found.versions]) == (expected["name"], expected["versions"])
        assert found.platform == expected["platform"]


@pytest.mark.parametrize("raw", [False, True])
def test_the_answer_is_that_of_http(both, raw):
    """Typed and raw contents, nulls and empty texts; the answer comes as the request did."""
    client, asked = both
    _, expected = client.infer(*ROWS)
    answer = asked.infer(*ROWS, raw=raw, id="call-1")
    assert (answer.id, answer.model_name, answer.model_version) == (
        "call-1",
        "employment",
        "release-1",
    )
    assert {name: value.string_param for name, value in answer.parameters.items()} == {
        "release": "release-1",
        "number": "1",
    }
    decided, score = answer.outputs
    assert ([*decided.shape], decided.datatype) == ([2], "BYTES")
    assert ([*score.shape], score.datatype) == ([2], "FP64")
    if raw:
        labels = b"".join(len(text).to_bytes(4, "little") + text for text in [b"in work"] * 2)
        scores = np.frombuffer(answer.raw_output_contents[1], "<f8").tolist()
        assert answer.raw_output_contents[0] == labels
    else:
        assert [*decided.contents.bytes_contents] == [b"in work", b"in work"]
        scores = [*score.contents.fp64_contents]
        assert not answer.raw_output_contents
    assert scores == expected["outputs"][1]["data"]


def test_outputs_are_selected(both):
    """By name; an unknown one is refused with the nearest."""
    _, asked = both
    answer = asked.infer(ROW, outputs=[{"name": "score"}])
    assert [output.name for output in answer.outputs] == ["score"]
    with refused("INVALID_ARGUMENT", "did you mean 'score'?"):
        asked.infer(ROW, outputs=[{"name": "scores"}])


def test_a_matrix_and_other_datatypes_are_read(serving, target, logistic):
    """All features as one tensor; numbers of another datatype where nothing is lost."""
    fields = [Field(name=name, type="double", nullable=True) for name in ("age", "income")]
    outputs = (Field(name="score", type="double", nullable=False),)
    signature = Signature(
        kind="binary", inputs=fields, outputs=outputs, classes=("a", "b"), positive="a"
    )
    with (
        serving(target(1, logistic(1.0, signature=signature)), grpc_port=0) as client,
        channel(client) as asked,
    ):
        message = methods()["ModelInfer"].request(model_name="employment")
        tensor = message.inputs.add(name="x", datatype="FP64", shape=[2, 2])
        tensor.contents.fp64_contents.extend([40.0, 1e4, 20.0, float("nan")])
        one = [*asked.send("ModelInfer", message).outputs[1].contents.fp64_contents]
        message = methods()["ModelInfer"].request(model_name="employment")
        for name, datatype, field, values in (
            ("age", "INT8", "int_contents", [40, 20]),
            ("income", "FP32", "fp32_contents", [1e4, float("nan")]),
        ):
            tensor = message.inputs.add(name=name, datatype=datatype, shape=[2, 1])
            getattr(tensor.contents, field).extend(values)
        two = [*asked.send("ModelInfer", message).outputs[1].contents.fp64_contents]
    model = logistic(1.0)
    expected = [model.score(age=40, income=1e4), model.score(age=20)]
    assert one == pytest.approx(expected)
    assert two == one


def contents(place, **fields):
    """A request whose tensor at a place has other fields."""
    message = request(ROW)
    tensor = message.inputs[place]
    for name, value in fields.items():
        if name == "shape":
            tensor.shape[:] = value
        elif name.endswith("contents"):
            tensor.ClearField("contents")
            getattr(tensor.contents, name).extend(value)
        else:
            setattr(tensor, name, value)
    return message


def raw_with(change):
    message = request(ROW, raw=True)
    change(message)
    return message


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (lambda: contents(0, int_contents=[1]), "'age': int_contents, and INT64 stands in int64"),
        (lambda: contents(0, int64_contents=[1, 2]), "'age': 2 values do not fill the shape [1]"),
        (lambda: contents(0, shape=[0], int64_contents=[]), "'age': the shape has no rows"),
        (lambda: contents(0, shape=[-1]), "'age': the shape is neither"),
        (lambda: contents(0, datatype="BF16"), "'age': the datatype is none of"),
        (lambda: contents(1, datatype="FP16"), "'income': FP16 has no contents"),
        (lambda: contents(1, fp64_contents=[float("inf")]), "'income', row 0: a number out of"),
        (lambda: contents(2, bytes_contents=[b"\xff"]), "'city': row 0: a text that is not UTF-8"),
        (lambda: contents(2, name="town"), "input 'town' is unknown"),
        (
            lambda: raw_with(lambda sent: sent.raw_input_contents.pop()),
            "2 raw_input_contents for 3",
        ),
        (lambda: raw_with(lambda sent: sent.raw_input_contents.append(b"")), "4 raw_input_conten"),
        (
            lambda: raw_with(lambda sent: sent.inputs[0].contents.int64_contents.append(1)),
            "'age': contents and raw_input_contents exclude each other",
        ),
        (lambda: request(ROW, id="\n"), '"id" is no text'),
        (lambda: request(ROW, parameters={"timeout": -1}), '"timeout" is no number of micro'),
        (lambda: request(ROW, parameters={"timeout": "5"}), '"timeout" is no number of micro'),
        (lambda: request(*[ROW] * 51), "51 rows: this server takes up to 50"),
        (lambda: b"\xff\xff\xff", "the message is none of this call"),
        (lambda: request(model_name="employment"), "'age': the shape has no rows"),
        (lambda: methods()["ModelInfer"].request(model_name="employment"), '"inputs" is missing'),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(both, message, words):
    """INVALID_ARGUMENT, and which field is wrong."""
    _, asked = both
    with refused("INVALID_ARGUMENT", words):
        asked.send("ModelInfer", message())


def test_what_is_not_here_is_not_found(both):
    """A model or a version of another name, with the nearest; an unknown method."""
    _, asked = both
    with refused("NOT_FOUND", "no model 'employmnt' here: did you mean 'employment'?"):
        asked.infer(ROW, model_name="employmnt")
    with refused("NOT_FOUND", "version '7' is not served; these are: release-1"):
        asked.infer(ROW, model_version="7")
    with refused("NOT_FOUND"):
        asked.call("ModelReady", name="other")
    unknown = asked.link.unary_unary(f"/{SERVICE}/ModelTrain")
    with refused("UNIMPLEMENTED"):
        unknown(b"", timeout=60)


def test_a_message_that_is_too_large_is_refused(both):
    """By its bytes, before it is read; a compressed one by what it would become."""
    _, asked = both
    long = {**ROW, "city": "x" * 100_001}
    with refused("RESOURCE_EXHAUSTED", "larger than max"):
        asked.infer(long)
    bomb = request({**ROW, "city": "x" * 10_000_000})
    for packed in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        # gRPC's words where it stops to unpack, which it does not say of what it has whole.
        with refused("RESOURCE_EXHAUSTED", "Decompressed message larger than max"):
            asked.send("ModelInfer", bomb, compression=packed)
    assert asked.infer(ROW).outputs


def test_a_compressed_message_is_answered(both):
    """As the same one that is not."""
    _, asked = both
    expected = asked.infer(*ROWS, id="call-1")
    for packed in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        message = request(*ROWS, id="call-1")
        assert asked.send("ModelInfer", message, compression=packed) == expected


def test_answers_are_captured_and_counted_as_those_of_http(serving, target):
    """Rows and predictions under the request's id; refusals and mirrors, too."""
    with (
        serving(target(1), target(2, mirror=True), grpc_port=0) as client,
        channel(client) as asked,
    ):
        asked.infer(*ROWS, id="call-1")
        asked.infer(ROW, metadata=[("x-request-id", "call-2")])
        with refused("INVALID_ARGUMENT"):
            asked.send("ModelInfer", contents(0, int64_contents=[1, 2]))
        client.until(lambda: len(client.captures.all) == 4)
        kept = {(each.request_id, each.mirror): each for each in client.captures.all}
        assert set(kept) == {
            (name, mirror) for name in ("call-1", "call-2") for mirror in (False, True)
        }
        assert kept["call-1", False].rows.to_pylist() == ROWS
        traffic = client.get("/v2/health/ready")[1]["traffic"]
        assert [(each["requests"], each["refused"]) for each in traffic] == [(3, 1), (2, 0)]


def test_a_key_stays_with_its_version(serving, target):
    """The parameter and the metadata are the same key as over HTTP."""
    targets = [target(1, weight=0.5), target(2, weight=0.5)]
    with serving(*targets, grpc_port=0) as client, channel(client) as asked:
        for key in map(str, range(20)):
            _, value = client.infer(ROW, parameters={"sticky_key": key})
            version = value["model_version"]
            assert asked.infer(ROW, parameters={"sticky_key": key}).model_version == version
            sent = [("x-sticky-key", key)]
            assert asked.infer(ROW, metadata=sent).model_version == version
        assert asked.infer(ROW, model_version="2").model_version == "release-2"
