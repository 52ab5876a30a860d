"""Opening ONNX files that others made: what is no model of its signature is refused."""

import pytest
from onnx import TensorProto, helper

from interlock_hookspecs import Field, InvalidInput, Model, Signature
from interlock_hookspecs.conformance.workspace import LocalWorkspace
from interlock_model_onnx import OnnxModel

SIGNATURE = Signature(
    kind="regression",
    inputs=(Field(name="x", type="double"),),
    outputs=(Field(name="prediction", type="double"),),
)


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path, openers={"onnx": OnnxModel()})


def crafted(*nodes, **more):
    """An ONNX file of these nodes, from x to the output."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "crafted",
        [value("x", TensorProto.DOUBLE, [None, 1])],
        [value("y", TensorProto.DOUBLE, [None, 1])],
        **more,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("evil", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def loop():
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["again"]),
            helper.make_node("Identity", ["v"], ["w"]),
        ],
        "body",
        [
            value("n", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("v", TensorProto.DOUBLE, [None, 1]),
        ],
        [value("again", TensorProto.BOOL, []), value("w", TensorProto.DOUBLE, [None, 1])],
    )
    return crafted(helper.make_node("Loop", ["", "", "x"], ["y"], body=body))


def outside():
    tensor = helper.make_tensor("w", TensorProto.DOUBLE, [1], [1.0])
    tensor.ClearField("double_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return crafted(helper.make_node("Add", ["x", "w"], ["y"]), initializer=[tensor])


def opened(ws, content):
    path = ws.scratch() / "model.onnx"
    path.write_bytes(content)
    model = Model(
        format="onnx", artifact=ws.keep(path), signature=SIGNATURE, facts={"columns": "0"}
    )
    return ws.open_model(model)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"not a model", "no ONNX model"),
        (lambda: b"", "no ONNX model"),
        (lambda: loop().SerializeToString(), "operator ai.onnx.Loop"),
        (lambda: outside().SerializeToString(), "tensor|data|location"),
        (
            lambda: crafted(
                helper.make_node("Shell", ["x"], ["y"], domain="evil")
            ).SerializeToString(),
            "evil.Shell",
        ),
        (
            lambda: crafted(helper.make_node("Add", ["x", "lost"], ["y"])).SerializeToString(),
            "ONNX Runtime refuses it",
        ),
    ],
)
def test_a_crafted_file_is_not_opened(ws, make, why):
    """What is no model, reads other files, loops, or calls operators of others is refused."""
    with pytest.raises(InvalidInput, match=why) as caught:
        opened(ws, make())
    assert "model.onnx is not opened" in str(caught.value)


def test_a_file_of_other_inputs_is_not_opened(ws):
    """A model whose inputs are not the signature's is refused when it is opened."""
    assert opened(ws, crafted(helper.make_node("Neg", ["x"], ["y"])).SerializeToString())
    other = crafted(helper.make_node("Neg", ["x"], ["y"]))
    other.graph.input.append(helper.make_tensor_value_info("z", TensorProto.DOUBLE, [None, 1]))
    with pytest.raises(InvalidInput, match="inputs are not"):
        opened(ws, other.SerializeToString())


def test_a_large_file_is_refused_unread(tmp_path):
    """A file over max_bytes is not read."""
    ws = LocalWorkspace(tmp_path, openers={"onnx": OnnxModel(max_bytes=10)})
    with pytest.raises(InvalidInput, match="over the limit of 10"):
        opened(ws, b"x" * 11)
