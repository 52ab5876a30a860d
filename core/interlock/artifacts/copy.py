"""An artifact from one store to another, its digest checked on both sides."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from interlock.errors import Tampered

if TYPE_CHECKING:
    from interlock.artifacts.store import ArtifactStore
    from interlock_hookspecs import Artifact


def copy_artifact(artifact: Artifact, source: ArtifactStore, target: ArtifactStore) -> None:
    """Copy an artifact; where the other store has its bytes already, check them.

    A folder's files are written before its manifest, so a copy that was cut off is no artifact.

    Raises:
        ArtifactError, Tampered: it is not in the source, or the bytes on a side are others.
    """
    if not target.has(artifact):
        scratch = source.scratch()
        try:
            if artifact.folder:
                folder = source.unfold(artifact, scratch / "folder")
                kept = target.keep(folder, name=artifact.name)
            else:
                with source.located(artifact) as path:
                    kept = target.keep(path, name=artifact.name)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if kept.digest != artifact.digest:
            msg = f"{artifact.name}: {artifact.digest} became {kept.digest} on its way"
            raise Tampered(msg)
    target.check(artifact, afresh=True)
