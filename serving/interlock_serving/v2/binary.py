"""The protocol's extension for binary tensors: their bytes stand behind the JSON. Pure functions.

The extension:
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md

Numbers are little-endian and row by row; ``BOOL`` is a byte, 0 or 1; each element of ``BYTES`` is
its length in 4 bytes and as many bytes of UTF-8. A missing number is NaN.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from interlock_hookspecs import InvalidInput
from interlock_serving.v2.answers import Answer

Body = bytes | memoryview
"""What a request holds: a view of what arrived, where that is all of it."""

DTYPES: Mapping[str, str] = {
    "BOOL": "?",
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}
"""numpy's name of each datatype of numbers and Booleans, as their bytes are."""
_LENGTH = struct.Struct("<I")


def split(body: Body, header: bytes) -> tuple[bytes, memoryview]:
    """The JSON of a body, and the bytes behind it.

    Args:
        body: of the request.
        header: how many of its bytes are JSON, as the request's header says.

    Raises:
        InvalidInput: it is no such number.
    """
    if not header.isdigit() or len(header) > len(str(len(body))) or int(header) > len(body):
        raise InvalidInput(
            f"inference-header-content-length is no number of bytes up to the body's {len(body)}"
        )
    length = int(header)
    whole = memoryview(body)
    return bytes(whole[:length]), whole[length:]


def attach(inputs: object, behind: memoryview) -> None:
    """Give each tensor that says so its data out of the bytes, in order.

    Numbers come as an array, texts as a list; tensors that are malformed otherwise are left to
    who reads them.

    Raises:
        InvalidInput: the bytes are no such data, too few or too many.
    """
    used = 0
    for tensor in inputs if type(inputs) is list else ():
        size = _size(tensor)
        if size is None:
            continue
        if "data" in tensor:
            raise _wrong(tensor, '"data" and binary_data_size exclude each other')
        if size > len(behind) - used:
            raise _wrong(tensor, f"{size} bytes are said, {len(behind) - used} are there")
        tensor["data"] = decoded(tensor, behind[used : used + size])
        used += size
    if used < len(behind):
        raise InvalidInput(f"{len(behind) - used} bytes behind the JSON are of no input")


def wanted(body: Mapping[str, Any], names: tuple[str, ...]) -> frozenset[str]:
    """The outputs that a request wants as bytes.

    Args:
        body: the request, whose ``outputs`` were checked.
        names: the outputs that there are.

    Raises:
        InvalidInput: a parameter is no Boolean.
    """
    if "parameters" not in body and "outputs" not in body:
        return frozenset()
    usual = _flag(body, "binary_data_output", default=False)
    chosen = {output["name"]: output for output in body.get("outputs") or ()}
    return frozenset(
        name for name in names if _flag(chosen.get(name, {}), "binary_data", default=usual)
    )


def _size(tensor: object) -> int | None:
    """How many bytes a tensor says that it has; None where it says nothing."""
    parameters = tensor.get("parameters") if type(tensor) is dict else None
    if type(parameters) is not dict or "binary_data_size" not in parameters:
        return None
    size = parameters["binary_data_size"]
    if type(size) is not int or size < 0:
        raise _wrong(tensor, "binary_data_size is no number of bytes")
    return size


def decoded(tensor: Mapping[str, Any], content: memoryview) -> Any:
    """The data of a tensor out of its bytes: an array of numbers, or a list of texts.

    Raises:
        InvalidInput: they are not of its datatype.
    """
    datatype = tensor.get("datatype")
    if datatype == "BYTES":
        return _texts(tensor, content)
    dtype = DTYPES.get(datatype) if type(datatype) is str else None
    if dtype is None:
        return []  # no datatype of ours: whoever reads the tensor says so
    if datatype == "BOOL" and content.tobytes().strip(b"\0\1"):
        raise _wrong(tensor, "a byte of a BOOL that is neither 0 nor 1")
    if len(content) % np.dtype(dtype).itemsize:
        raise _wrong(tensor, f"{len(content)} bytes are no whole number of {datatype}")
    return np.frombuffer(content, dtype)  # out of the body, and copied where rows are joined


def _texts(tensor: Mapping[str, Any], content: memoryview) -> list[str]:
    texts = []
    place = 0
    while place < len(content):
        start = place + _LENGTH.size
        if start > len(content):
            raise _wrong(tensor, "the length of a text is cut off")
        place = start + _LENGTH.unpack_from(content, place)[0]
        if place > len(content):
            raise _wrong(tensor, "a text is longer than the bytes that are left")
        try:
            texts.append(str(content[start:place], "utf-8"))
        except UnicodeDecodeError as error:
            raise _wrong(tensor, f"row {len(texts)}: a text that is not UTF-8") from error
    return texts


def encoded(answer: Answer, place: int) -> bytes:
    """An output as the bytes of a tensor, by its place among the outputs."""
    _, datatype = answer.batch.outputs[place]
    if datatype == "BYTES":
        texts = [str(value).encode() for value in answer.values(place)]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    return answer.content(place, DTYPES[datatype])


def _flag(value: Mapping[str, Any], name: str, *, default: bool) -> bool:
    parameters = value.get("parameters")
    flag = parameters.get(name, default) if type(parameters) is dict else default
    if type(flag) is not bool:
        raise InvalidInput(f'"{name}" is neither true nor false')
    return flag


def _wrong(tensor: Any, what: str) -> InvalidInput:
    name = tensor.get("name")
    return InvalidInput(f"input {str(name)[:80]!r}: {what}")
