"""Where blobs lie: a folder of this machine. Those of a store elsewhere are in `remote`."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from interlock.durable import sync
from interlock.errors import ArtifactError
from interlock.processes import mark, marked_by_the_dead
from interlock_hookspecs import file_digest

_DEAD = 3600  # seconds: nobody waits for it, yet somebody may be looking into it
_STRANGE = 7 * 24 * 3600  # seconds: of another machine, or without a mark


class Blobs(Protocol):
    """Bytes under names that never change what they stand for."""

    def has(self, name: str) -> bool:
        """Whether a blob is stored."""

    def put(self, name: str, source: Path) -> None:
        """Store a file's bytes; visible whole or not at all."""

    def local(self, name: str) -> Path:
        """A local path of a blob, which stays until it is let go as often as it was asked for.

        Raises:
            FileNotFoundError: it is not stored.
        """

    def let_go(self, name: str) -> None:
        """Say that a path that `local` gave is read no longer."""

    def digest(self, name: str) -> str:
        """The digest of the bytes that are stored, whatever was fetched of them before.

        Raises:
            FileNotFoundError: it is not stored.
        """

    def forget(self, name: str) -> None:
        """Let go of what was fetched of a blob: the next `local` fetches it again."""

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

    def let_go(self, name: str) -> None:
        """Nothing of a folder goes away."""

    def digest(self, name: str) -> str:
        return file_digest(self.local(name))

    def forget(self, name: str) -> None:
        """Nothing is fetched from a folder."""

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


def place(
    source: Path,
    target: Path,
    drafts: Path,
    *,
    settle: Callable[[Path, Path], object] = Path.replace,
) -> None:
    """Copy a file to a place where it appears whole or not at all, and stays after a crash.

    Args:
        source: the file.
        target: where it is to appear.
        drafts: a folder of the same file system, for what is not whole yet.
        settle: makes the finished draft the target.

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
        settle(temporary, target)
        sync(target.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        msg = f"artifacts: {target.parent} cannot be written: {error.strerror or error}"
        raise ArtifactError(msg, hint="free space or mend the folder, then run again") from error


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"artifacts: {folder} cannot be made: {error.strerror or error}"
        raise ArtifactError(msg) from error
    return folder
