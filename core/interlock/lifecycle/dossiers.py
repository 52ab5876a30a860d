"""Dossiers as they were kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from interlock.codec import decode
from interlock_hookspecs import Artifact, Dossier

if TYPE_CHECKING:
    from interlock.session import Session


def dossier_of(session: Session, review: Mapping[str, Any]) -> Dossier:
    """The dossier that a review was held on, from its artifact, the digest checked.

    Raises:
        ArtifactError, Tampered: the artifact is gone, or is another.
    """
    artifact = decode(Artifact, review["body"]["artifact"])
    return decode(Dossier, orjson.loads(session.store.read(artifact)))
