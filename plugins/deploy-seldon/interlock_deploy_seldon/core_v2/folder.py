"""Manifests as files, for whoever applies them: Argo CD, Flux, a person."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import yaml

from interlock_deploy_seldon.core_v2.manifests import ENDPOINT_LABEL, MANAGED_BY, Manifest
from interlock_deploy_seldon.core_v2.names import endpoint_name
from interlock_deploy_seldon.core_v2.options import CoreV2
from interlock_hookspecs import Endpoint


class Folder:
    """One folder an endpoint, one file an object; a file is whole or not there.

    Args:
        root: of all endpoints; made where it is missing.
        label: the endpoint's name, as its objects' label has it.
    """

    def __init__(self, root: Path, label: str) -> None:
        self.path = root / label

    def put(self, manifest: Manifest) -> bool:
        """Write an object's file; gives whether it was another before."""
        path = self._path(manifest["kind"], manifest["metadata"]["name"])
        text = as_text(manifest)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return False
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path, prefix=".", encoding="utf-8", delete=False
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written = Path(file.name)
        written.chmod(0o644)  # readable, as other files of a working tree are
        written.replace(path)
        return True

    def of_endpoint(self, kind: str, label: str) -> list[Manifest]:
        """The objects of a kind and an endpoint whose files are here."""
        found = []
        for path in sorted(self.path.glob(f"{kind.lower()}-*.yaml")):
            manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
            labels = manifest["metadata"]["labels"]
            if MANAGED_BY in labels and labels.get(ENDPOINT_LABEL) == label:
                found.append(manifest)
        return found

    def delete(self, kind: str, name: str) -> None:
        """Take an object's file away; that there is none is no error."""
        self._path(kind, name).unlink(missing_ok=True)

    def _path(self, kind: str, name: str) -> Path:
        return self.path / f"{kind.lower()}-{name}.yaml"


def folder_of(endpoint: Endpoint, options: CoreV2) -> Folder:
    """The folder that an endpoint's manifests are written to.

    Raises:
        ValueError: none is named.
    """
    if options.render_to is None:
        raise ValueError("there is no folder to render to")
    return Folder(options.root / options.render_to, endpoint_name(endpoint))


def as_text(manifest: Manifest) -> str:
    """A manifest as YAML, its keys in the order in which people write them."""
    text: str = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
    return text
