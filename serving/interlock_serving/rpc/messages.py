"""Messages of ``ModelInfer`` as requests of ours, and answers as its messages. Pure functions.

Values are read by the rules of JSON and of the binary extension: numbers out of ``contents`` or
``raw_input_contents`` alike, NaN for a missing one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from interlock_hookspecs import InvalidInput, Release
from interlock_serving.rpc.schema import methods
from interlock_serving.v2.binary import DTYPES, decoded, encoded
from interlock_serving.v2.protocol import Envelope, envelope_of, shown

if TYPE_CHECKING:
    from interlock_serving.v2.answers import Answer

_FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Where the values of a datatype stand; FP16 has no field and comes raw."""


def read_message(request: Any) -> Envelope:
    """A ``ModelInferRequest`` as far as it does not depend on a model.

    Raises:
        InvalidInput: a malformed id or parameter, or contents that are not as the datatype says.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidInput(
            f"{len(raw)} raw_input_contents for {len(request.inputs)} inputs: send one for each"
        )
    body: dict[str, Any] = {
        "id": request.id,
        "inputs": [
            _raw(tensor, raw[place]) if raw else _typed(tensor)
            for place, tensor in enumerate(request.inputs)
        ],
        "outputs": [{"name": output.name} for output in request.outputs],
    }
    if request.parameters:
        body["parameters"] = {
            name: getattr(value, chosen)
            for name, value in request.parameters.items()
            if (chosen := value.WhichOneof("parameter_choice"))
        }
    return envelope_of(body)


def write_message(  # the answer's parts, as the protocol names them
    name: str,
    release: Release,
    request_id: str,
    answer: Answer,
    selected: frozenset[str] | None,
    *,
    raw: bool,
) -> Any:
    """An answer as a ``ModelInferResponse``.

    Args:
        raw: whether the values stand in ``raw_output_contents``; those of an FP16 always do, and
            then all of them.
    """
    response = methods()["ModelInfer"].response(
        model_name=name, model_version=release.id, id=request_id
    )
    response.parameters["release"].string_param = release.id
    response.parameters["number"].string_param = release.number
    chosen = [
        (place, output, datatype)
        for place, (output, datatype) in enumerate(answer.batch.outputs)
        if selected is None or output in selected
    ]
    raw = raw or any(datatype not in _FIELDS for _, _, datatype in chosen)
    for place, output, datatype in chosen:
        tensor = response.outputs.add(name=output, datatype=datatype, shape=(answer.rows,))
        if raw:
            response.raw_output_contents.append(encoded(answer, place))
        else:
            part = answer.values(place)
            if datatype == "BYTES":
                part = [str(value).encode() for value in part]
            getattr(tensor.contents, _FIELDS[datatype]).extend(part)
    return response


def _raw(tensor: Any, content: bytes) -> dict[str, Any]:
    if tensor.HasField("contents") and tensor.contents.ByteSize():
        raise _wrong(tensor, "contents and raw_input_contents exclude each other")
    described = _described(tensor)
    described["data"] = decoded(described, memoryview(content))
    return described


def _typed(tensor: Any) -> dict[str, Any]:
    described = _described(tensor)
    datatype = described["datatype"]
    field = _FIELDS.get(datatype)
    if field is None:
        if datatype in DTYPES:
            raise _wrong(tensor, f"{datatype} has no contents: send it in raw_input_contents")
        described["data"] = []  # no datatype of ours: whoever reads the tensor says so
        return described
    others = [each.name for each, _ in tensor.contents.ListFields() if each.name != field]
    if others:
        raise _wrong(tensor, f"{others[0]}, and {datatype} stands in {field}")
    data: Any = list(getattr(tensor.contents, field))
    if datatype == "BYTES":
        data = [_text(tensor, row, value) for row, value in enumerate(data)]
    elif datatype in ("FP32", "FP64") and (
        len(described["shape"]) > 1 or not all(map(math.isfinite, data))
    ):
        # As an array NaN is known for a missing value, and a matrix is cut at once.
        data = np.array(data, DTYPES[datatype])
    described["data"] = data
    return described


def _described(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


def _text(tensor: Any, row: int, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise _wrong(tensor, f"row {row}: a text that is not UTF-8") from error


def _wrong(tensor: Any, what: str) -> InvalidInput:
    return InvalidInput(f"input {shown(tensor.name)}: {what}")
