"""The artifact store: files and folders by the digest of their bytes, checked whenever read."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interlock.artifacts.blobs import Blobs, FolderBlobs
from interlock.errors import ArtifactError, Tampered
from interlock.processes import mark
from interlock_hookspecs import Artifact, bytes_digest, file_digest, folder_manifest
from interlock_hookspecs.digests import PREFIX, manifest_bytes


def open_store(address: str, cache: Path, *, limit: int | None = None) -> ArtifactStore:
    """The store at an address: a folder's path, or what fsspec takes.

    Args:
        address: ``/data/artifacts`` or ``s3://bucket/prefix``.
        cache: the folder that remote blobs are fetched into.
        limit: bytes of them that are kept there while nobody reads them; None for any.
    """
    if "://" in address and not address.startswith("file://"):
        from interlock.artifacts.cache import Cache
        from interlock.artifacts.remote import FsspecBlobs

        return ArtifactStore(FsspecBlobs(address, Cache(cache, limit)))
    return ArtifactStore(FolderBlobs(Path(address.removeprefix("file://"))))


class ArtifactStore:
    """Keeps artifacts and hands them back only when their bytes are what was recorded."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def keep(self, path: Path, *, name: str | None = None) -> Artifact:
        """Store a file, or a folder as its files and their manifest.

        Equal bytes are stored once. A blob is written to a temporary name, synced and renamed.

        Raises:
            ArtifactError: the path does not exist, or the store cannot be written.
        """
        if path.is_dir():
            return self._keep_folder(path, name or path.name)
        if not path.is_file():
            msg = f"{path} is no file or folder: nothing to keep"
            raise ArtifactError(msg)
        digest = file_digest(path)
        self._put(digest, path)
        return Artifact(digest=digest, size=path.stat().st_size, name=name or path.name)

    def keep_bytes(self, data: bytes, *, name: str) -> Artifact:
        """Store some bytes as a file."""
        digest = bytes_digest(data)
        if not self._blobs.has(_key(digest)):
            with tempfile.NamedTemporaryFile(
                dir=self._blobs.scratch(), prefix=f"{mark()}."
            ) as temporary:
                temporary.write(data)
                temporary.flush()
                self._put(digest, Path(temporary.name))
        return Artifact(digest=digest, size=len(data), name=name)

    def has(self, artifact: Artifact) -> bool:
        """Whether something is stored under an artifact's digest."""
        return self._blobs.has(_key(artifact.digest))

    def locate(self, artifact: Artifact) -> Path:
        """A local path of an artifact, read-only, its digest checked.

        It stays until `let_go` is called for the artifact as often as this.

        Raises:
            ArtifactError: nothing is stored under the digest.
            Tampered: what is stored has other bytes.
        """
        if artifact.folder:
            return self._unfolded(artifact)
        return self._checked(artifact.digest, artifact.name)

    def let_go(self, artifact: Artifact) -> None:
        """Say that a path that `locate` gave is read no longer."""
        if not artifact.folder:
            self._blobs.let_go(_key(artifact.digest))

    @contextlib.contextmanager
    def located(self, artifact: Artifact) -> Iterator[Path]:
        """The path that `locate` gives, let go afterwards."""
        path = self.locate(artifact)
        try:
            yield path
        finally:
            self.let_go(artifact)

    def check(self, artifact: Artifact, *, afresh: bool = False) -> None:
        """Read an artifact through, every file of a folder, and lay nothing out.

        Args:
            artifact: what was recorded.
            afresh: read what the store holds, even where this machine has fetched it before.

        Raises:
            ArtifactError, Tampered: as `locate`.
        """
        if afresh:
            self._check_stored(artifact.digest, artifact.name)
        read = self._check_stored if afresh else self._check_here
        with self._reading(artifact.digest, artifact.name) as blob:
            if artifact.folder:
                for inner, _, digest in json.loads(blob.read_bytes()):
                    read(digest, f"{artifact.name}/{inner}")

    def unfold(self, artifact: Artifact, folder: Path) -> Path:
        """Lay a folder artifact out at a place of one's own, which is made anew."""
        with self._reading(artifact.digest, artifact.name) as manifest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._lay_out(artifact, manifest, folder)
        return folder

    def read(self, artifact: Artifact) -> bytes:
        """The bytes of a file artifact, its digest checked."""
        with self.located(artifact) as path:
            return path.read_bytes()

    def scratch(self) -> Path:
        """A new empty folder beside the blobs."""
        return Path(tempfile.mkdtemp(dir=self._blobs.scratch(), prefix=f"{mark()}."))

    def sweep(self) -> None:
        """Remove what processes that were killed left in the scratch folder."""
        self._blobs.sweep()

    def _keep_folder(self, path: Path, name: str) -> Artifact:
        manifest = folder_manifest(path)
        for inner, _, digest in manifest:
            self._put(digest, path / inner)
        kept = self.keep_bytes(manifest_bytes(manifest), name=name)
        size = sum(entry[1] for entry in manifest)
        return Artifact(digest=kept.digest, size=size, name=name, folder=True)

    def _put(self, digest: str, path: Path) -> None:
        if not self._blobs.has(_key(digest)):
            self._blobs.put(_key(digest), path)

    def _checked(self, digest: str, name: str) -> Path:
        with _missing(digest, name):
            path = self._blobs.local(_key(digest))
            if file_digest(path) != digest:
                # What lies here may be an old copy gone bad.
                self._blobs.forget(_key(digest))
                path = self._blobs.local(_key(digest))
                _refuse_others(file_digest(path), digest, name)
        return path

    @contextlib.contextmanager
    def _reading(self, digest: str, name: str) -> Iterator[Path]:
        path = self._checked(digest, name)
        try:
            yield path
        finally:
            self._blobs.let_go(_key(digest))

    def _check_here(self, digest: str, name: str) -> None:
        with self._reading(digest, name):
            pass

    def _check_stored(self, digest: str, name: str) -> None:
        with _missing(digest, name):
            _refuse_others(self._blobs.digest(_key(digest)), digest, name)

    def _unfolded(self, artifact: Artifact) -> Path:
        """The folder laid out beside the blobs; laid out anew each time, so that it is true."""
        with self._reading(artifact.digest, artifact.name) as manifest:
            folder = self.scratch() / artifact.name
            folder.mkdir()
            self._lay_out(artifact, manifest, folder)
        return folder

    def _lay_out(self, artifact: Artifact, manifest: Path, folder: Path) -> None:
        for inner, _, digest in json.loads(manifest.read_bytes()):
            target = folder / inner
            if not target.resolve().is_relative_to(folder.resolve()):
                msg = f"{artifact.name}: its manifest names {inner!r}, outside the folder"
                raise Tampered(msg)
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._reading(digest, f"{artifact.name}/{inner}") as blob:
                shutil.copyfile(blob, target)


@contextlib.contextmanager
def _missing(digest: str, name: str) -> Iterator[None]:
    """Say of a blob that is not there whose it was, and what to do."""
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{name}: the artifact store has nothing under {digest}"
        hint = "bring the artifacts back, or interlock run makes them anew"
        raise ArtifactError(msg, hint=hint) from error


def _refuse_others(found: str, digest: str, name: str) -> None:
    if found != digest:
        msg = f"{name}: the bytes stored under {digest} are others"
        raise Tampered(msg, hint="restore the artifact from a backup")


def _key(digest: str) -> str:
    return digest.removeprefix(PREFIX)
