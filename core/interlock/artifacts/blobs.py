"""Where blobs lie: a folder of this machine, or any store that fsspec knows."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from interlock.errors import ArtifactError, Tampered
from interlock.processes import mark, marked_by_the_dead
from interlock_hookspecs import file_digest
from interlock_hookspecs.digests import PREFIX

_DEAD = 3600  # seconds: nobody waits for it, yet somebody may be looking into it
_STRANGE = 7 * 24 * 3600  # seconds: of another machine, or without a mark


class Blobs(Protocol):
    """Bytes under names that never change what they stand for."""

    def has(self, name: str) -> bool:
        """Whether a blob is stored."""

    def put(self, name: str, source: Path) -> None:
        """Store a file's bytes; visible whole or not at all."""

    def local(self, name: str) -> Path:
        """A local path of a blob.

        Raises:
            FileNotFoundError: it is not stored.
        """

    def scratch(self) -> Path:
        """A folder of this machine to work in."""

    def sweep(self) -> None:
        """Remove what killed processes left of their work on this machine."""

    def remove(self, name: str) -> None:
        """Forget a blob."""


class FolderBlobs:
    """Blobs in a folder.

    Args:
        root: made when the first blob comes.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def put(self, name: str, source: Path) -> None:
        target = self._path(name)
        _made(target.parent)
        place(source, target, self.scratch())

    def local(self, name: str) -> Path:
        path = self._path(name)
        if not path.exists():
            raise FileNotFoundError(name)
        return path

    def scratch(self) -> Path:
        return _made(self._root / "scratch")

    def sweep(self) -> None:
        now = time.time()
        # Whatever cannot be looked at or removed is no reason not to run.
        with contextlib.suppress(OSError):
            for entry in (self._root / "scratch").iterdir():
                dead = marked_by_the_dead(entry.name)
                patience = _STRANGE if dead is None else _DEAD
                if dead is False or now - entry.lstat().st_mtime < patience:
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._root / "sha256" / name[:2] / name


_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory"})
"""Protocols whose objects appear when they are whole, and not before."""

_BRING_BACK = "bring the store back, then interlock run --resume goes on with a run"


class FsspecBlobs:
    """Blobs in a store that fsspec knows, fetched into a folder of this machine when read.

    Args:
        url: for example ``s3://bucket/prefix``.
        cache: the folder.
    """

    def __init__(self, url: str, cache: Path) -> None:
        import fsspec

        try:
            self._fs, self._prefix = fsspec.core.url_to_fs(
                # A listing that is remembered does not know what others store.
                url,
                use_listings_cache=False,
            )
        except (ImportError, ValueError) as error:
            msg = f"artifacts: no file system for {url.partition('://')[0]}:// ({error})"
            raise ArtifactError(msg) from error
        except OSError as error:
            # Some connect here. The address may hold a password, so it is not shown.
            msg = f"artifacts: {url.partition('://')[0]}:// cannot be reached: {error.strerror}"
            raise ArtifactError(msg, hint=_BRING_BACK) from error
        self._cache = FolderBlobs(cache)
        self._whole = url.partition("://")[0] in _WHOLE

    def has(self, name: str) -> bool:
        with self._reached():
            return bool(self._fs.exists(self._key(name)))

    def put(self, name: str, source: Path) -> None:
        key = self._key(name)
        with self._reached():
            if self._whole:
                # One request, or a multipart upload that shows nothing before its end: no name to
                # give twice, and no copy to leave behind.
                self._fs.put_file(str(source), key)
                return
            self._fs.makedirs(key.rpartition("/")[0], exist_ok=True)
            temporary = f"{key}.{uuid.uuid4().hex}.tmp"
            try:
                self._fs.put_file(str(source), temporary)
                self._fs.mv(temporary, key)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._fs.rm_file(temporary)
                raise

    def local(self, name: str) -> Path:
        if not self._cache.has(name):
            if not self.has(name):
                raise FileNotFoundError(name)
            fetched = self.scratch() / f"{mark()}.{uuid.uuid4().hex}"
            try:
                with self._reached():
                    self._fs.get_file(self._key(name), str(fetched))
                if file_digest(fetched) != PREFIX + name:
                    # Not kept: the cache would hold on to it after the store was mended.
                    msg = f"artifacts: the bytes under {name[:12]} in {self._prefix} are others"
                    raise Tampered(msg, hint="restore the artifact from a backup")
                self._cache.put(name, fetched)
            finally:
                fetched.unlink(missing_ok=True)
        return self._cache.local(name)

    def scratch(self) -> Path:
        return self._cache.scratch()

    def sweep(self) -> None:
        # What lies half written in the store itself is the store's own rule of expiry to remove.
        self._cache.sweep()

    def remove(self, name: str) -> None:
        self._cache.remove(name)
        if self.has(name):
            with self._reached():
                self._fs.rm(self._key(name))

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Say of what a file system raises that the store failed: each has errors of its own."""
        try:
            yield
        except Exception as error:
            said = str(error).partition("\n")[0] or type(error).__name__
            msg = f"artifacts: {self._prefix} cannot be used now: {said}"
            raise ArtifactError(msg, hint=_BRING_BACK) from error

    def _key(self, name: str) -> str:
        return f"{self._prefix}/sha256/{name[:2]}/{name}"


def place(source: Path, target: Path, drafts: Path) -> None:
    """Copy a file to a place where it appears whole or not at all, and stays after a crash.

    Args:
        source: the file.
        target: where it is to appear.
        drafts: a folder of the same file system, for what is not whole yet.

    Raises:
        ArtifactError: it cannot be written; nothing is left behind.
    """
    temporary = drafts / f"{mark()}.{uuid.uuid4().hex}.tmp"
    try:
        with source.open("rb") as reader, temporary.open("wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            os.fsync(writer.fileno())
        temporary.chmod(0o444)
        temporary.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"artifacts: {target.parent} cannot be written: {error.strerror or error}"
        raise ArtifactError(msg, hint="free space or mend the folder, then run again") from error


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"artifacts: {folder} cannot be made: {error.strerror or error}"
        raise ArtifactError(msg) from error
    return folder
