"""Versions of MLflow's as versions of the contract's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Facts, Model, ModelVersion, from_plain, to_plain
from interlock_registry_mlflow.lineage import ID
from interlock_registry_mlflow.names import alias_of, name_of

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

RECORD = "interlock.version"
_PIECE = 5000  # characters that a tag has on every kind of server


def record_tags(model: Model, facts: Facts) -> Iterator[tuple[str, str]]:
    """The whole record of a version, in as many tags as it takes."""
    value = {"model": to_plain(model), "facts": to_plain(facts)}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for place, start in enumerate(range(0, len(text), _PIECE)):
        yield f"{RECORD}.{place}", text[start : start + _PIECE]


def is_ours(version: Any) -> bool:
    """Whether a version of MLflow's was registered by this plugin."""
    return ID in version.tags and f"{RECORD}.0" in version.tags


def read_version(backend: Backend, version: Any, *, existing: bool = False) -> ModelVersion:
    """The record of a version that this plugin registered.

    Args:
        backend: where it is.
        version: MLflow's, with its aliases.
        existing: whether a registration found it there.
    """
    pieces: list[str] = []
    while (piece := version.tags.get(f"{RECORD}.{len(pieces)}")) is not None:
        pieces.append(piece)
    value = json.loads("".join(pieces))
    return ModelVersion(
        id=name_of(version.tags[ID]),
        name=backend.name(version.name),
        number=str(version.version),
        model=from_plain(Model, value["model"]),
        facts=Facts(value["facts"]),
        aliases=tuple(sorted(alias_of(alias) for alias in version.aliases)),
        at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        existing=existing,
    )
