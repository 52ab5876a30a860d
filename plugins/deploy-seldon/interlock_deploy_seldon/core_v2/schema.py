"""A strict schema of what is written, held against every manifest before anything is sent.

Written from the types that Seldon Core v2 publishes; a field that they have and this plugin has no
use for is as unknown as one that nobody has.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import InvalidInput

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the manifests that are written."""
    found: dict[str, Any] = json.loads(
        resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    )
    return found


def problems(manifest: Mapping[str, Any]) -> list[str]:
    """What is wrong with a manifest, each with its place; empty where nothing is."""
    kind = manifest.get("kind")
    validator = _validator(str(kind))
    if validator is None:
        return [f"kind: {kind!r} is none of Model, Experiment and Pipeline"]
    found = sorted(validator.iter_errors(manifest), key=lambda error: list(map(str, error.path)))
    return [f"{'.'.join(map(str, error.path)) or '(whole)'}: {error.message}" for error in found]


def checked(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest that keeps to the schema.

    Raises:
        InvalidInput: it does not; the message names each place.
    """
    found = problems(manifest)
    if found:
        named = f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"
        msg = f"the manifest of {named} is not sent: {'; '.join(found)}"
        raise InvalidInput(msg)
    return manifest


@functools.cache
def _validator(kind: str) -> Validator | None:
    from jsonschema import Draft202012Validator

    whole = schema()
    if kind not in ("Model", "Experiment", "Pipeline"):
        return None
    return Draft202012Validator({"$defs": whole["$defs"], "$ref": f"#/$defs/{kind}"})
