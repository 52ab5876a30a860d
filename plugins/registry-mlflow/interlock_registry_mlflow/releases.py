"""Releases, noted on the version that they are of, for people who look at MLflow.

The ledger is what counts: a tag opens nothing, and one that somebody writes by hand is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock_hookspecs import Event, is_digest
from interlock_registry_mlflow.lineage import DIGEST
from interlock_registry_mlflow.names import storable
from interlock_registry_mlflow.versions import number_by_tag

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

RELEASE, REVOKED = "interlock.release", "interlock.revoked"


def note(backend: Backend, event: Event) -> None:
    """Tag the version of a release with its id, or one whose release was revoked with that.

    A version keeps the latest of each: the ledger has them all.
    """
    from mlflow.entities.model_registry import ModelVersionTag

    written, release = backend.written(event.project), storable(event.subject, "id")
    made = event.kind == "release.made"
    key, value = (DIGEST, _model(event.payload.get("record"))) if made else (RELEASE, release)
    number = number_by_tag(backend, written, key, value) if value else None
    if number is not None:
        tag = ModelVersionTag(RELEASE if made else REVOKED, release)
        backend.registry.set_model_version_tag(written, str(number), tag)


def _model(record: object) -> str:
    digest = record.get("model") if isinstance(record, Mapping) else None
    return digest if isinstance(digest, str) and is_digest(digest) else ""
