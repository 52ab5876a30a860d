"""A version's bytes, back from where MLflow keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import (
    Artifact,
    InvalidInput,
    ModelVersion,
    NotFound,
    Workspace,
    path_digest,
)
from interlock_registry_mlflow.files import get_folder
from interlock_registry_mlflow.flavours import INNER, artifact_path
from interlock_registry_mlflow.names import number_of
from interlock_registry_mlflow.outside import get_outside
from interlock_registry_mlflow.record import is_ours
from interlock_registry_mlflow.versions import live

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend


def fetch(backend: Backend, version: ModelVersion, ws: Workspace) -> Artifact:
    """Our artifact as the registry has it, kept in the workspace.

    Raises:
        NotFound: the version or its files are gone.
        InvalidInput: the files are not the ones that were registered.
    """
    written = backend.written(version.name)
    found = live(backend, written, number_of(version.number))
    if found is None:
        raise NotFound(f"{version.name} has no version {version.number}")
    folder = ws.scratch()
    if is_ours(found):
        uri = backend.registry.get_model_version_download_uri(written, str(found.version))
        place = artifact_path(folder, version.model)
        place.parent.mkdir(parents=True)
        get_folder(backend, f"{uri.rstrip('/')}/{INNER}", place.parent)
    else:
        place = folder / "model"
        place.mkdir()
        get_outside(backend, found, place)
    if not place.exists() or path_digest(place) != version.model.digest:
        raise InvalidInput(
            f"registry-mlflow: the files of {version.name} {version.number} are not the ones that "
            f"were registered under {version.model.digest}"
        )
    return ws.keep(place, name=version.model.artifact.name)
