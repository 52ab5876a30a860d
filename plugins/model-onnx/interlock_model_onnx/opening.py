"""An ONNX file behind guards: what it may hold, and how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlock_hookspecs import InvalidInput

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
FORBIDDEN = frozenset({"If", "Loop", "Scan", "SequenceMap"})
"""Operators with a graph inside: what they cost depends on the data, and no estimator needs one."""


def read_checked(path: Path, max_bytes: int) -> bytes:
    """The bytes of a model file that may be run.

    Raises:
        InvalidInput: it is too large, no ONNX model, keeps tensors in other files, or holds an
            operator that is not allowed.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise InvalidInput(f"it has {size} bytes, over the limit of {max_bytes}")
    raw = path.read_bytes()
    _check(raw)
    return raw


def gathered(raw: bytes) -> bytes:
    """The model with one input [n, k], where it does nothing with its k inputs but join them.

    A runtime takes one matrix for a third of what it takes as many columns for. What the model
    computes stays to the bit; where its inputs are of several types, or are used one by one, it
    stays as it is.
    """
    import onnx

    model = onnx.load_model_from_string(raw)
    graph = model.graph
    names = [each.name for each in graph.input]
    users = [node for node in graph.node if not set(names).isdisjoint(node.input)]
    kinds = {each.type.tensor_type.elem_type for each in graph.input}
    if len(users) != 1 or len(names) < 2 or len(kinds) != 1:  # noqa: PLR2004  (one is a matrix)
        return raw
    (joined,) = users
    along = [each.i for each in joined.attribute]
    widths = [[side.dim_value for side in each.type.tensor_type.shape.dim] for each in graph.input]
    given = {each.name for each in graph.output}
    if (
        (joined.op_type, joined.domain, along) != ("Concat", "", [1])
        or list(joined.input) != names
        or widths != [[0, 1]] * len(names)
        or joined.output[0] in given
        or onnx.TensorProto.STRING in kinds
    ):
        return raw
    (kind,) = kinds
    whole = onnx.helper.make_tensor_value_info(joined.output[0], kind, [None, len(names)])
    graph.node.remove(joined)
    del graph.input[:]
    graph.input.append(whole)
    return bytes(model.SerializeToString())


def session_of(model: bytes) -> Any:
    """A runtime over a model: one thread, for requests are what runs in parallel."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def checked_session(model: bytes) -> Any:
    """A runtime over a model of a file.

    Raises:
        InvalidInput: the runtime does not take it.
    """
    try:
        return session_of(model)
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise InvalidInput(f"ONNX Runtime refuses it: {lines[0] if lines else error!r}") from error


def _check(raw: bytes) -> None:
    import onnx

    try:
        model = onnx.load_model_from_string(raw)
        onnx.checker.check_model(model)
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise InvalidInput(f"it is no ONNX model: {lines[0] if lines else error!r}") from error
    if model.functions:
        raise InvalidInput("it defines functions of its own")
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise InvalidInput(f"it keeps the tensor {tensor.name!r} in another file")
    for node in model.graph.node:
        if node.domain not in DOMAINS or node.op_type in FORBIDDEN:
            raise InvalidInput(f"it holds the operator {node.domain or 'ai.onnx'}.{node.op_type}")
