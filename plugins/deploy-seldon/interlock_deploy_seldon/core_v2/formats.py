"""The folders that Seldon's servers load: one layout for each format of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import InvalidInput, Model, Unsupported

if TYPE_CHECKING:
    import onnx

_TYPES: Mapping[int, str] = {
    # onnx.TensorProto's numbers, and what Triton's configuration calls the same types.
    1: "TYPE_FP32",
    2: "TYPE_UINT8",
    3: "TYPE_INT8",
    4: "TYPE_UINT16",
    5: "TYPE_INT16",
    6: "TYPE_INT32",
    7: "TYPE_INT64",
    8: "TYPE_STRING",
    9: "TYPE_BOOL",
    10: "TYPE_FP16",
    11: "TYPE_FP64",
    12: "TYPE_UINT32",
    13: "TYPE_UINT64",
}


@attrs.frozen(kw_only=True)
class Layout:
    """A folder as a server loads it.

    Attributes:
        requirement: the capability of Seldon's servers that loads it.
        files: what each file holds, or the local file that it is a copy of, by its path within.
    """

    requirement: str
    files: Mapping[str, bytes | Path]


def refuse_unservable(model: Model) -> None:
    """Refuse a format that no server of Seldon Core loads as it is.

    Raises:
        Unsupported: the message says what to write instead.
    """
    if model.format not in ("onnx", "mlflow"):
        msg = (
            f"no server of Seldon Core loads a model of the format {model.format!r}: "
            'write package = "onnx" in the stack, so that it is converted before it is reviewed'
        )
        raise Unsupported(msg)


def layout(model: Model, path: Path) -> Layout:
    """The folder of a model whose bytes are at a path.

    ONNX becomes a model repository of Triton; an MLflow model is a folder already.

    Raises:
        Unsupported: no server loads the format.
        InvalidInput: the file is not what its format says.
    """
    refuse_unservable(model)
    if model.format == "mlflow":
        files = sorted(file for file in path.rglob("*") if file.is_file())
        if path / "MLmodel" not in files:
            raise InvalidInput(f"{model.artifact.name} has no file MLmodel: it is no MLflow model")
        within = {file.relative_to(path).as_posix(): file for file in files}
        return Layout(requirement="mlflow", files=within)
    return Layout(
        requirement="onnx",
        files={"1/model.onnx": path, "config.pbtxt": triton_config(path).encode()},
    )


def triton_config(path: Path) -> str:
    """Triton's configuration of an ONNX model: its inputs and outputs as the file has them.

    With all of them said Triton completes nothing by itself, so that it sets no limit of its own
    to how many rows a request may have.

    Raises:
        InvalidInput: the file is no ONNX model, or gives something else than tensors.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model(path, load_external_data=False).graph
    except (DecodeError, OSError, ValueError) as error:
        raise InvalidInput(f"{path.name} is no ONNX model: {type(error).__name__}") from error
    constants = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    lines = ['backend: "onnxruntime"', "max_batch_size: 0"]
    lines += [f"input {_tensor(each)}" for each in inputs]
    lines += [f"output {_tensor(each)}" for each in graph.output]
    return "\n".join(lines) + "\n"


def _tensor(value: onnx.ValueInfoProto) -> str:
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or kind.elem_type not in _TYPES:
        raise InvalidInput(f"{value.name} of the ONNX model is no tensor that Triton serves")
    dims = [
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else -1
        for each in kind.shape.dim
    ]
    # A text of protobuf's escapes as JSON does.
    name = json.dumps(value.name)
    return f"{{ name: {name} data_type: {_TYPES[kind.elem_type]} dims: {dims or [-1]} }}"
