"""What may not be run is found in a file's bytes, however they are laid out."""

import contextlib

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from interlock_hookspecs import InvalidInput
from interlock_model_onnx.wire import check_model

VALUE = helper.make_tensor_value_info
FINE = helper.make_node("Neg", ["x"], ["y"])


def model(*nodes, **more):
    """A model of these nodes."""
    x, y = (VALUE(name, TensorProto.DOUBLE, [None, 1]) for name in "xy")
    return helper.make_model(helper.make_graph(nodes or [FINE], "made", [x], [y], **more))


def tensor():
    return helper.make_tensor("w", TensorProto.DOUBLE, [1], [1.0])


def elsewhere():
    """A tensor whose numbers are in another file."""
    made = tensor()
    made.ClearField("double_data")
    made.data_location = TensorProto.EXTERNAL
    made.external_data.add(key="location", value="/etc/passwd")
    return made


def sparse(values):
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[1])


def with_functions():
    made = model()
    opset = helper.make_opsetid("", 21)
    made.functions.append(helper.make_function("own", "f", ["x"], ["y"], [FINE], [opset]))
    return made


def with_training():
    made = model()
    made.training_info.add().algorithm.CopyFrom(made.graph)
    return made


def said_twice():
    """An operator's name, then another's: readers take the last."""
    loop, neg = onnx.NodeProto(op_type="Loop"), onnx.NodeProto(op_type="Neg", output=["y"])
    node = loop.SerializeToString() + neg.SerializeToString()
    return _wrapped(7, _wrapped(1, node))


def _wrapped(number, content):
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


GRAPH = model().graph
REFUSED = {
    "external initializer": (lambda: model(initializer=[elsewhere()]), "another file"),
    "external constant": (
        lambda: model(helper.make_node("Constant", [], ["y"], value=elsewhere())),
        "another file",
    ),
    "external list": (
        lambda: model(helper.make_node("Any", [], ["y"], values=[tensor(), elsewhere()])),
        "another file",
    ),
    "external sparse initializer": (
        lambda: model(sparse_initializer=[sparse(elsewhere())]),
        "another file",
    ),
    "external sparse constant": (
        lambda: model(helper.make_node("Constant", [], ["y"], sparse_value=sparse(elsewhere()))),
        "another file",
    ),
    "graph": (lambda: model(helper.make_node("Neg", ["x"], ["y"], body=GRAPH)), "graph within"),
    "graphs": (lambda: model(helper.make_node("Neg", ["x"], ["y"], all=[GRAPH])), "graphs within"),
    "loop": (lambda: model(helper.make_node("Loop", ["x"], ["y"], body=GRAPH)), "ai.onnx.Loop"),
    "domain": (lambda: model(helper.make_node("Neg", ["x"], ["y"], domain="e")), "operator e.Neg"),
    "functions": (with_functions, "functions of its own"),
    "training": (with_training, "a graph that trains"),
    "said twice": (said_twice, "operator ai.onnx.Neg"),
    "a later graph": (
        lambda: (
            model().SerializeToString()
            + model(helper.make_node("Loop", ["x"], ["y"])).SerializeToString()
        ),
        "ai.onnx.Loop",
    ),
    "nothing": (lambda: b"", "no graph"),
    "no graph": (lambda: onnx.ModelProto(ir_version=8).SerializeToString(), "no graph"),
    "cut off": (lambda: model().SerializeToString()[:-1], "cut off"),
    "a group": (lambda: bytes([7 << 3 | 3]), "of the kind 3"),
    "a graph that is a number": (lambda: bytes([7 << 3, 1]), "another kind"),
    "an endless number": (lambda: b"\x80" * 11, "cut off"),
}


@pytest.mark.parametrize("make", [make for make, _ in REFUSED.values()], ids=REFUSED)
def test_what_may_not_be_run_is_refused(make, request):
    """With what it is."""
    made = make()
    raw = made if isinstance(made, bytes) else made.SerializeToString()
    why = REFUSED[request.node.callspec.id][1]
    with pytest.raises(InvalidInput, match=why):
        check_model(raw)


def forest():
    """A converted forest: lists of integers, floats and texts, of thousands each."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4)).astype(np.float32)
    fitted = RandomForestClassifier(20, random_state=0).fit(rows, rows[:, 0] > 0)
    return to_onnx(fitted, rows[:1], options={"zipmap": False})


def test_each_operator_of_a_converted_model_is_looked_at():
    """Behind the long lists, too, which are passed over at once."""
    made = forest()
    check_model(made.SerializeToString())
    for place in range(len(made.graph.node)):
        other = onnx.ModelProto()
        other.CopyFrom(made)
        other.graph.node[place].domain = "e"
        with pytest.raises(InvalidInput, match="holds the operator e"):
            check_model(other.SerializeToString())
    made.graph.node[0].attribute.append(helper.make_attribute("last", elsewhere()))
    with pytest.raises(InvalidInput, match="another file"):
        check_model(made.SerializeToString())


FOREST = forest().SerializeToString()
BAD = model(
    FINE,
    helper.make_node("Loop", ["x"], ["y"]),
    helper.make_node("Constant", [], ["z"], value=elsewhere(), numbers=[1, 2, 300]),
    initializer=[elsewhere()],
).SerializeToString()


def damaged(raw):
    """The bytes with some of them taken out and others put in."""
    return st.builds(
        lambda place, put, gone: raw[:place] + put + raw[place + gone :],
        st.integers(0, len(raw) - 1),
        st.binary(max_size=8),
        st.integers(0, 8),
    )


@given(damaged(FOREST))
def test_a_damaged_file_is_read_or_refused(raw):
    """Whatever its bytes are, nothing else is raised."""
    with contextlib.suppress(InvalidInput):
        check_model(raw)


@given(damaged(BAD))
def test_nothing_is_passed_that_onnx_reads_as_forbidden(raw):
    """What another reader of the same bytes makes of them is refused here."""
    read = onnx.ModelProto()
    try:
        read.ParseFromString(raw)
    except DecodeError:
        return
    tensors = [
        *read.graph.initializer,
        *(one.t for each in read.graph.node for one in each.attribute),
    ]
    loops = any(node.op_type == "Loop" for node in read.graph.node)
    if loops or any(one.data_location == TensorProto.EXTERNAL for one in tensors):
        with pytest.raises(InvalidInput):
            check_model(raw)
