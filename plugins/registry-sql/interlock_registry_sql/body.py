"""A model and its facts to JSON text and back."""

from __future__ import annotations

import json

from interlock_hookspecs import Facts, Model, from_plain, to_plain


def write_body(model: Model, facts: Facts) -> str:
    """The text that a version's row keeps of its model."""
    value = {"model": to_plain(model), "facts": to_plain(facts)}
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def read_body(text: str) -> tuple[Model, Facts]:
    """The model and its facts from that text."""
    value = json.loads(text)
    return from_plain(Model, value["model"]), Facts(value["facts"])
