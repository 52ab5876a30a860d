"""The Open Inference Protocol V2 in JSON: requests read, answers written. Pure functions.

The protocol: https://github.com/open-inference/open-inference-protocol (REST). Beside it:

- inputs are either one tensor a column, ``[n]`` or ``[n, 1]``, or one ``[n, k]`` tensor of all
  features in the model's order; the id and time columns may stand beside either
- ``parameters.sticky_key``, or the header ``x-sticky-key``: requests of one key go to one version
  while the weights stay
- a tensor's data may stand behind the JSON, see `binary`
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

import attrs
import numpy as np
import orjson

from interlock_hookspecs import PREDICTION, InvalidInput, Signature
from interlock_serving.v2.binary import Body, attach
from interlock_serving.v2.column import DATATYPES, EXACT, Column, datatype_of
from interlock_serving.v2.columns import Columns
from interlock_serving.v2.matrix import Values, is_finite

_DEPTH = 1024  # where orjson stops
SERVICE = "inference.GRPCInferenceService"
"""The protocol's name over gRPC."""
ID_PATTERN = r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?"
KEY_LENGTH = 256
_ID = re.compile(ID_PATTERN)
_NO_JSON = re.compile(r"-?(?:NaN|Infinity)")
_SHOWN = 80


class TooLarge(InvalidInput):
    """The request is understood and larger than this server takes."""


@attrs.define(eq=False)
class Envelope:
    """A request before its inputs are read: what decides which model reads them.

    Attributes:
        body: the JSON object.
        id: the client's name of the request, or None.
        sticky: what keeps a client on one version: a number from 0 to under 1, or None.
        seconds: how long it may wait for its turn, or None for as long as it takes.
    """

    body: Mapping[str, Any]
    id: str | None
    sticky: float | None
    seconds: float | None = None


@attrs.define(eq=False)
class Query:
    """Rows to score.

    Attributes:
        id: the request's id.
        rows: how many.
        values: so many of each column.
    """

    id: str
    rows: int
    values: Values


def read_envelope(body: Body, behind: memoryview | None = None) -> Envelope:
    """Read a body as far as it does not depend on a model.

    Args:
        body: JSON.
        behind: the binary data that came behind it.

    Raises:
        InvalidInput: no JSON object, a malformed id or parameter, or data that is not as said.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(_not_json(body, error)) from error
    if type(value) is not dict:
        raise InvalidInput('the body is no JSON object: send {"inputs": [...]}')
    if behind is not None:
        attach(value.get("inputs"), behind)
    return envelope_of(value)


def _not_json(body: Body, error: orjson.JSONDecodeError) -> str:
    """Why a body cannot be read, and what to send in the place of what is often meant."""
    if "depth" in error.msg:
        return f"the body is nested deeper than {_DEPTH} levels"
    try:
        text = str(body, "utf-8")
    except UnicodeDecodeError as broken:
        return f"the body is not JSON: no UTF-8, at byte {broken.start}"
    # What it says of the place counts characters.
    meant = _NO_JSON.match(text, max(error.pos - 1, 0)) or _NO_JSON.match(text, error.pos)
    why = f"{meant[0]} is none of it, send null for a missing value" if meant else error.msg
    return f"the body is not JSON: {why}, at byte {len(text[: error.pos].encode())}"


def envelope_of(body: Mapping[str, Any]) -> Envelope:
    """A body, however it came, as far as it does not depend on a model.

    Raises:
        InvalidInput: a malformed id or parameter.
    """
    name = _request_id(body.get("id"))
    parameters = body.get("parameters")
    if parameters is None:
        return Envelope(body, name, None)
    if type(parameters) is not dict:
        raise InvalidInput('"parameters" is no JSON object')
    return Envelope(body, name, _sticky(parameters), _seconds(parameters))


def is_request_id(text: str) -> bool:
    """Whether a text may name a request: 1 to 128 printable ASCII characters."""
    return _ID.fullmatch(text) is not None


def sticky_share(key: bytes) -> float | None:
    """Where a key falls between 0 and 1, evenly, the same on every machine; None without a key."""
    if not key:
        return None
    return int.from_bytes(hashlib.sha256(key).digest()[:6], "big") / 2**48


def read_columns(envelope: Envelope, columns: Columns, *, max_rows: int) -> tuple[int, Values]:
    """The number of rows, and the values of each column, in the model's order.

    Raises:
        InvalidInput: an input is missing, unknown, doubled, or holds what does not fit.
        TooLarge: more than ``max_rows``.
    """
    inputs = envelope.body.get("inputs")
    if type(inputs) is not list or not inputs:
        raise InvalidInput('"inputs" is missing: send a list with a tensor for each column')
    usual = columns.usual.read(inputs, max_rows)
    if usual is not None:
        return usual
    found: dict[str, list[Any]] = {}
    counts: dict[str, int] = {}
    for position, tensor in enumerate(inputs):
        name, datatype, shape, data = _tensor(tensor, position, max_rows)
        if len(shape) > 1 and name not in columns.by_name:
            read = _matrix(name, datatype, shape, data, columns)
            given = read.keys() & found.keys()
            found |= read
        else:
            given = {name} if name in found else set()
            found[name] = _vector(name, datatype, shape, data, columns)
        if given:
            raise InvalidInput(f"input {min(given)!r} is given twice")
        counts[name] = shape[0]
    if len(set(counts.values())) > 1:
        first, *others = counts
        other = next(name for name in others if counts[name] != counts[first])
        raise InvalidInput(
            f"input {other!r} has {counts[other]} rows, {first!r} has {counts[first]}"
        )
    if not columns.required <= found.keys():
        missing = [column.name for column in columns.features if column.name not in found]
        raise InvalidInput(f"input {missing[0]!r} is missing{_more(missing)}")
    columns.usual.learn(inputs)
    return shape[0], {name: found[name] for name in columns.by_name if name in found}


def read_outputs(envelope: Envelope, signature: Signature) -> frozenset[str] | None:
    """The outputs that a request selects, or None for all.

    Raises:
        InvalidInput: one is unknown, doubled or malformed.
    """
    selected = envelope.body.get("outputs")
    if selected is None or selected == []:
        return None
    if type(selected) is not list:
        raise InvalidInput('"outputs" is no list: send [{"name": "prediction"}]')
    known = output_names(signature)
    names = []
    for position, output in enumerate(selected):
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str:
            raise InvalidInput(f"outputs[{position}] has no name")
        if name not in known:
            raise InvalidInput(f"output {shown(name)} is unknown{nearest(name, known)}")
        if name in names:
            raise InvalidInput(f"output {name!r} is given twice")
        names.append(name)
    return frozenset(names)


def output_names(signature: Signature) -> tuple[str, ...]:
    """The outputs that an answer has: the decision first, then what the model gave."""
    scores = (field.name for field in signature.outputs if field.name != PREDICTION)
    return (PREDICTION, *scores)


def metadata(
    name: str, versions: Iterable[str], platform: str, columns: Columns, signature: Signature
) -> dict[str, Any]:
    """A model's metadata. The id and time columns are taken and not required, so not listed."""
    outputs = {field.name: datatype_of(field.type) for field in signature.outputs}
    outputs.setdefault(PREDICTION, _label_datatype(signature))
    return {
        "name": name,
        "versions": list(versions),
        "platform": platform,
        "inputs": [
            {"name": column.name, "datatype": column.datatype, "shape": [-1]}
            for column in columns.features
        ],
        "outputs": [
            {"name": output, "datatype": outputs[output], "shape": [-1]}
            for output in output_names(signature)
        ],
    }


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was probably meant; empty where none is near."""
    import difflib

    close = difflib.get_close_matches(name[:_SHOWN], list(known), n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def shown(text: str) -> str:
    """A client's text, quoted, and cut where it is long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _request_id(value: object) -> str | None:
    if value is None or value == "":
        return None
    if type(value) is not str or not is_request_id(value):
        raise InvalidInput('"id" is no text of 1 to 128 printable ASCII characters')
    return value


def _sticky(parameters: Mapping[str, Any]) -> float | None:
    key = _whole(parameters.get("sticky_key"))
    if key is None:
        return None
    if type(key) not in (str, int) or len(str(key)) > KEY_LENGTH:
        raise InvalidInput(f'"sticky_key" is no text or integer of up to {KEY_LENGTH} characters')
    return sticky_share(str(key).encode())


def _seconds(parameters: Mapping[str, Any]) -> float | None:
    """The parameter of Triton's clients: microseconds, 0 for no limit."""
    timeout = _whole(parameters.get("timeout"))
    if timeout is None:
        return None
    if type(timeout) is not int or not 0 <= timeout <= EXACT:
        raise InvalidInput('"timeout" is no number of microseconds')
    return timeout / 1e6 or None


def _whole(value: Any) -> Any:
    """JSON Schema does not tell 3.0 from 3."""
    exact = type(value) is float and value.is_integer() and abs(value) <= EXACT
    return int(value) if exact else value


def _tensor(tensor: object, position: int, max_rows: int) -> tuple[str, str, list[int], Any]:
    if type(tensor) is not dict or type(tensor.get("name")) is not str:
        raise InvalidInput(f"inputs[{position}] has no name")
    name = tensor["name"]
    datatype, shape, data = tensor.get("datatype"), tensor.get("shape"), tensor.get("data")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise InvalidInput(f"input {shown(name)}: the datatype is none of {', '.join(DATATYPES)}")
    if not _is_shape(shape):
        what = "has no rows" if shape in ([0], [0, 1]) else "is neither [n] nor [n, k]"
        raise InvalidInput(f"input {shown(name)}: the shape {what}")
    if shape[0] > max_rows:
        raise TooLarge(f"{shape[0]} rows: this server takes up to {max_rows} in a request")
    if type(data) is not list and not isinstance(data, np.ndarray):
        raise InvalidInput(f'input {shown(name)}: "data" is no list')
    size = shape[0]
    if len(shape) > 1:
        size *= shape[1]
        data = _flat(name, shape, data) if type(data) is list else data
    if len(data) != size:
        raise InvalidInput(f"input {shown(name)}: {len(data)} values do not fill the shape {shape}")
    return name, datatype, shape, data


def _is_shape(shape: object) -> TypeGuard[list[int]]:
    if type(shape) is not list or len(shape) not in (1, 2):
        return False
    # Not isinstance: a Boolean is no size.
    return all(map(_is_size, shape))


def _is_size(value: object) -> bool:
    return type(value) is int and value > 0


def _flat(name: str, shape: list[int], data: list[Any]) -> list[Any]:
    """Data row by row; the protocol takes it flat and nested."""
    if not data or type(data[0]) is not list:
        return data
    for row, values in enumerate(data):
        if type(values) is not list or len(values) != shape[1]:
            raise InvalidInput(f"input {shown(name)}, row {row}: no list of {shape[1]} values")
    return [value for values in data for value in values]


def _vector(name: str, datatype: str, shape: list[int], data: list[Any], columns: Columns) -> Any:
    column: Column | None = columns.by_name.get(name)
    if column is None:
        raise InvalidInput(f"input {shown(name)} is unknown{nearest(name, columns.by_name)}")
    if len(shape) > 1 and shape[1] != 1:
        raise InvalidInput(f"input {name!r}: shape {shape}, expected [n] or [n, 1]")
    return column.read(data, datatype)


def _matrix(
    name: str, datatype: str, shape: list[int], data: Any, columns: Columns
) -> dict[str, Any]:
    width = len(columns.features)
    if shape[1] != width:
        raise InvalidInput(
            f"input {shown(name)}: shape {shape}, expected [n, {width}], all features in order"
        )
    if isinstance(data, np.ndarray) and columns.usual.is_matrix_of(datatype):
        # Looked through at once, and laid out column by column in one go.
        by_column = np.ascontiguousarray(data.reshape(shape).T)
        if is_finite(by_column):
            return dict(zip(columns.usual.names, by_column, strict=True))
    return {
        column.name: column.read(data[position::width], datatype)
        for position, column in enumerate(columns.features)
    }


def _label_datatype(signature: Signature) -> str:
    kinds = {bool: "BOOL", int: "INT64", str: "BYTES"}
    return kinds[type(signature.classes[0])] if signature.classes else "FP64"


def _more(names: list[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""
