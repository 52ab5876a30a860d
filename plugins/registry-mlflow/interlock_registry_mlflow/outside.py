"""Versions that somebody registered in MLflow without Interlock, as the contract shows them.

Such a version has no digest, and an identity that is no digest of its bytes would say more than is
known. So its files are read, once in the life of a process.
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import (
    Artifact,
    Facts,
    Field,
    Model,
    ModelVersion,
    NotFound,
    Signature,
    folder_manifest,
    path_digest,
)
from interlock_registry_mlflow.files import get_folder
from interlock_registry_mlflow.names import alias_of, number_of

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend

FORMAT = "mlflow"
"""The format of such a model: the folder that MLflow keeps."""

_TYPES = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float",
    "double": "double",
    "string": "string",
    "binary": "binary",
    "datetime": "timestamp",
}


def outside_id(version: Any) -> str:
    """What stands for the id that such a version was never given.

    >>> from types import SimpleNamespace
    >>> outside_id(SimpleNamespace(name="fraud", version=3))
    'mlflow:fraud:3'
    """
    return f"mlflow:{version.name}:{version.version}"


def outside_number(written: str, id: str) -> int | None:  # noqa: A002  (the contract's own word)
    """The number that an `outside_id` of a name holds; None for another text.

    >>> outside_number("fraud", "mlflow:fraud:3"), outside_number("fraud", "version-1")
    (3, None)
    """
    prefix = f"mlflow:{written}:"
    return number_of(id.removeprefix(prefix)) if id.startswith(prefix) else None


def read_outside(backend: Backend, version: Any) -> ModelVersion | None:
    """The record of such a version; None where MLflow has no files for it."""
    key = (version.name, int(version.version), version.creation_timestamp)
    if key not in backend.outside:
        try:
            backend.outside[key] = _model(backend, version)
        except NotFound:
            return None
    return ModelVersion(
        id=outside_id(version),
        name=backend.name(version.name),
        number=str(version.version),
        model=backend.outside[key],
        facts=Facts({"origin": "external", "mlflow.run": version.run_id or None}),
        aliases=tuple(sorted(alias_of(alias) for alias in version.aliases)),
        at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
    )


def get_outside(backend: Backend, version: Any, folder: Path) -> None:
    """Copy such a version's folder.

    Raises:
        NotFound: MLflow has no files for it.
    """
    uri = backend.registry.get_model_version_download_uri(version.name, str(version.version))
    get_folder(backend, uri, folder)


def _model(backend: Backend, version: Any) -> Model:
    import yaml

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "model")
        folder.mkdir()
        get_outside(backend, version, folder)
        described = folder / "MLmodel"
        about = yaml.safe_load(described.read_bytes()) if described.is_file() else {}
        needed = folder / "requirements.txt"
        lines = needed.read_text(encoding="utf-8").splitlines() if needed.is_file() else []
        size = sum(size for _, size, _ in folder_manifest(folder))
        artifact = Artifact(digest=path_digest(folder), size=size, name="model", folder=True)
    flavours = sorted(about.get("flavors") or {})
    return Model(
        format=FORMAT,
        artifact=artifact,
        signature=_signature(about.get("signature") or {}),
        requirements=tuple(line for line in lines if line and not line.startswith("#")),
        facts={"flavors": ", ".join(flavours)},
    )


def _signature(about: dict[str, Any]) -> Signature:
    return Signature(
        kind="external",
        inputs=_fields(about.get("inputs"), "input"),
        outputs=_fields(about.get("outputs"), "prediction"),
    )


def _fields(text: str | None, unnamed: str) -> tuple[Field, ...]:
    columns = json.loads(text) if text else []
    return tuple(
        Field(
            name=column.get("name") or (unnamed if place == 0 else f"{unnamed}-{place}"),
            type=_TYPES.get(column["type"], str(column["type"])),
            nullable=not column.get("required", True),
        )
        for place, column in enumerate(columns)
    )
