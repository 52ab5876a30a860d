"""A model and its facts to JSON text and back."""

from __future__ import annotations

import json
from typing import Any

import attrs

from interlock_hookspecs import Artifact, Facts, Field, Model, Signature


def write_body(model: Model, facts: Facts) -> str:
    """The text that a version's row keeps of its model."""
    value = {"model": attrs.asdict(model, value_serializer=_plain), "facts": dict(facts)}
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_body(text: str) -> tuple[Model, Facts]:
    """The model and its facts from that text."""
    value = json.loads(text)
    return _model(value["model"]), Facts(value["facts"])


def _plain(_instance: Any, _attribute: Any, value: Any) -> Any:
    return dict(value) if isinstance(value, Facts) else value


def _model(value: dict[str, Any]) -> Model:
    return Model(
        format=value["format"],
        artifact=Artifact(**value["artifact"]),
        signature=_signature(value["signature"]),
        requirements=value["requirements"],
        facts=Facts(value["facts"]),
    )


def _signature(value: dict[str, Any]) -> Signature:
    return Signature(
        kind=value["kind"],
        inputs=tuple(Field(**field) for field in value["inputs"]),
        outputs=tuple(Field(**field) for field in value["outputs"]),
        classes=tuple(value["classes"]),
        positive=value["positive"],
        id=_field(value["id"]),
        time=_field(value["time"]),
    )


def _field(value: dict[str, Any] | None) -> Field | None:
    return None if value is None else Field(**value)
