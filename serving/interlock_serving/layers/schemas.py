"""What an endpoint takes and gives, as JSON Schemas, from a model's signature. Pure functions.

What a schema says is what the server takes: a body that one refuses is refused. The other way
round a tensor's schema cannot say that the shape counts the data; that of a batch of rows says all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from interlock_serving.v2.column import DATATYPES, EXACT, RANGES
from interlock_serving.v2.protocol import ID_PATTERN, KEY_LENGTH, metadata, output_names

if TYPE_CHECKING:
    from interlock_serving.models.batching import Batcher
    from interlock_serving.v2.column import Column

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
BOOL: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": TEXT}
_STICKY: Schema = {
    "type": ["string", "integer", "null"],
    "maxLength": KEY_LENGTH,
    "minimum": -(2**63),
    "maximum": 2**64 - 1,
    "description": "requests of one key stay with one version while the weights stay",
}
_TIMEOUT: Schema = {
    "type": ["integer", "null"],
    "minimum": 0,
    "maximum": EXACT,
    "description": "microseconds that the request may wait for its turn; 0 for no limit",
}
_ENVELOPE: Schema = {
    "id": {
        "type": ["string", "null"],
        "pattern": f"^(?:{ID_PATTERN})?$",
        "description": "names the request; without one the header x-request-id does",
    },
    "parameters": {
        "type": ["object", "null"],
        "properties": {"sticky_key": _STICKY, "timeout": _TIMEOUT},
    },
}
_ANSWER: Schema = {
    "model_name": TEXT,
    "model_version": {**TEXT, "description": "the id of the release that answered"},
    "id": TEXT,
    "parameters": {"type": "object"},
}
_TENSOR: Schema = {
    "name": TEXT,
    "datatype": {"enum": list(DATATYPES)},
    "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
    "data": {"type": "array"},
}
_SAMPLES: Mapping[str, Any] = {"BOOL": True, "BYTES": "text", "FP16": 0.5, "FP32": 0.5, "FP64": 0.5}


def record(
    properties: Schema, *, required: Sequence[str] | None = None, closed: bool = False
) -> Schema:
    """An object; without ``required`` all of it is."""
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
    }
    return {**schema, "additionalProperties": False} if closed else schema


ERROR = record({"error": TEXT})
LIVE = record({"live": BOOL})
SERVER = record({"name": TEXT, "version": TEXT, "extensions": _TEXTS})
MODEL_READY = record({"name": TEXT, "ready": BOOL})
READY = record(
    {
        "ready": BOOL,
        "endpoint": TEXT,
        "project": TEXT,
        "stack": TEXT,
        "serving": {**_TEXTS, "description": "ids of releases"},
        "problem": {**TEXT, "description": "what is wrong; empty where nothing is"},
        "captures_lost": {"type": "integer"},
    }
)
_DESCRIBED: Schema = {
    "type": "array",
    "items": record({key: _TENSOR[key] for key in ("name", "datatype")} | {"shape": {}}),
}
METADATA = record(
    {
        "name": TEXT,
        "versions": _TEXTS,
        "platform": TEXT,
        "inputs": _DESCRIBED,
        "outputs": _DESCRIBED,
    }
)


def tensors_request(model: Batcher) -> Schema:
    """The body of ``infer``."""
    shape = {**_TENSOR["shape"], "maxItems": 2}
    tensor = record({**_TENSOR, "shape": shape, "data": {"type": "array", "minItems": 1}})
    selected = record({"name": {"enum": list(output_names(model.signature))}})
    return record(
        {
            **_ENVELOPE,
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "outputs": {"type": ["array", "null"], "items": selected},
        },
        required=["inputs"],
    )


def tensors_answer() -> Schema:
    """The answer of ``infer``."""
    outputs = {"type": "array", "items": record(_TENSOR, closed=True)}
    return record({**_ANSWER, "outputs": outputs})


def rows_request(model: Batcher) -> Schema:
    """The body of ``batch``."""
    row = record(
        {column.name: _taken(column) for column in model.columns.by_name.values()},
        required=[column.name for column in model.columns.features],
        closed=True,
    )
    rows = {"type": "array", "items": row, "minItems": 1}
    return record({**_ENVELOPE, "rows": rows}, required=["rows"])


def rows_answer(model: Batcher) -> Schema:
    """The answer of ``batch``."""
    described = metadata("", (), "", model.columns, model.signature)["outputs"]
    row = record({each["name"]: _plain(each["datatype"]) for each in described}, closed=True)
    return record({**_ANSWER, "rows": {"type": "array", "items": row}})


def sample(column: Column) -> Any:
    """A value that a column takes; made up."""
    kind = str(column.arrow)
    if kind.startswith("date32"):
        return "2026-01-31"
    if kind.startswith("timestamp"):
        return "2026-01-31T12:00:00Z" if column.arrow.tz else "2026-01-31T12:00:00"
    return _SAMPLES.get(column.datatype, 1)


def _taken(column: Column) -> Schema:
    schema = _plain(column.datatype)
    if column.datatype in RANGES:
        schema["minimum"], schema["maximum"] = RANGES[column.datatype]
    kind = str(column.arrow)
    if kind.startswith("date32"):
        schema["format"] = "date"
    elif kind.startswith("timestamp"):
        schema |= {"format": "date-time"} if column.arrow.tz else {"description": "no zone"}
    return {**schema, "type": [schema["type"], "null"]} if column.nullable else schema


def _plain(datatype: str) -> Schema:
    if datatype in ("BOOL", "BYTES"):
        return dict(BOOL if datatype == "BOOL" else TEXT)
    return {"type": "number" if datatype.startswith("FP") else "integer"}
