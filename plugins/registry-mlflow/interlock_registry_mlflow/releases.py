"""Releases, noted on the version that they are of, for people who look at MLflow.

The ledger is what counts: a tag opens nothing, and one that somebody writes by hand is not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import Event, is_digest
from interlock_registry_mlflow.failures import explained
from interlock_registry_mlflow.lineage import DIGEST
from interlock_registry_mlflow.names import storable
from interlock_registry_mlflow.versions import number_by_tag

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

RELEASE, REVOKED = "interlock.release", "interlock.revoked"


@attrs.frozen(kw_only=True)
class Told:
    """What is to be noted of a release.

    Attributes:
        project: the model's name.
        release: its id.
        model: the digest of the model that was released; empty where the release was revoked.
    """

    project: str
    release: str
    model: str = ""


def told_of(event: Event) -> Told | None:
    """What an event says of a release; None where it is no matter of this registry."""
    if event.kind == "release.revoked":
        return Told(project=event.project, release=event.subject)
    if event.kind != "release.made":
        return None
    record = event.payload.get("record")
    digest = record.get("model") if isinstance(record, Mapping) else None
    if not isinstance(digest, str) or not is_digest(digest):
        return None
    return Told(project=event.project, release=event.subject, model=digest)


def note(backend: Backend, told: Told, *, late: bool = False) -> None:
    """Tag the version of a release with its id, or one whose release was revoked with that.

    A version keeps the latest of each: the ledger has them all.

    Args:
        backend: MLflow.
        told: of which release.
        late: whether others may have been noted since, which then stay: ids grow with time.
    """
    from mlflow.entities.model_registry import ModelVersionTag

    written, release = backend.written(told.project), storable(told.release, "id")
    key, value = (DIGEST, told.model) if told.model else (RELEASE, release)
    with explained(backend.place):
        number = number_by_tag(backend, written, key, value)
        if number is None:
            return
        tag = RELEASE if told.model else REVOKED
        if late:
            found = backend.registry.get_model_version(written, str(number)).tags.get(tag, "")
            if found >= release:
                return
        backend.registry.set_model_version_tag(written, str(number), ModelVersionTag(tag, release))
