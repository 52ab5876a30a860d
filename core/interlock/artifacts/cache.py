"""What was fetched of a store elsewhere, kept in a folder of this machine within a bound.

Several processes share the folder. What one of them has been given stays for as long as it holds
it: a lock on the file says so, and the kernel takes it back from a process that is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from interlock.artifacts.blobs import FolderBlobs, place

_SPARE = 0.1
"""How much of the bound is made free at once, so that not every file has the folder read."""


@attrs.frozen(order=True)
class _Entry:
    """A file of the cache, in the order in which they go: too large ones, then the oldest."""

    fits: bool
    used: int
    size: int
    path: Path


class Cache:
    """Blobs that a store elsewhere has, too.

    Args:
        folder: of this machine.
        limit: bytes that the blobs together may take; None for any. What is held at the moment
            stays, also where it takes more.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self._folder = folder
        self._blobs = FolderBlobs(folder)
        self._limit = limit
        self._room: float = 0  # bytes that may be added before the folder is looked through again
        self._guard = threading.Lock()
        self._held: dict[str, tuple[int, int]] = {}  # by name: a descriptor, and how many hold it

    def hold(self, name: str) -> Path:
        """The path of a blob, which stays until it is let go as often as it was held.

        Raises:
            FileNotFoundError: it is not in the cache.
        """
        path = self._path(name)
        with self._guard:
            handle, holders = self._held.get(name) or (_locked(path), 0)
            self._held[name] = handle, holders + 1
            _touch(handle)
        return path

    def add(self, name: str, source: Path) -> Path:
        """Copy a blob into the cache, where it is not there, and hold it."""
        with contextlib.suppress(FileNotFoundError):
            return self.hold(name)
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make_room(source.stat().st_size)
        handle = -1

        def settle(draft: Path, target: Path) -> None:
            nonlocal handle
            with self._alone():
                # Another process's holders have a lock on the file that is there.
                if target.exists():
                    draft.unlink()
                else:
                    draft.replace(target)
                handle = _locked(target)

        place(source, path, self.scratch(), settle=settle)
        with self._guard:
            before, holders = self._held.get(name, (handle, 0))
            self._held[name] = handle, holders + 1
            _touch(handle)
            if before != handle:
                os.close(before)
        return path

    def let_go(self, name: str) -> None:
        """Hold a blob once less; from the last time on it may be removed."""
        with self._guard:
            if name not in self._held:
                return
            handle, holders = self._held.pop(name)
            if holders > 1:
                self._held[name] = handle, holders - 1
            else:
                os.close(handle)

    def remove(self, name: str) -> None:
        """Remove a blob that is wrong, whoever holds it."""
        with self._guard:
            held = self._held.pop(name, None)
            if held:
                os.close(held[0])
        self._blobs.remove(name)

    def scratch(self) -> Path:
        """A folder to work in, of the same file system."""
        return self._blobs.scratch()

    def sweep(self) -> None:
        """Remove what killed processes left, and what is beyond the bound."""
        self._blobs.sweep()
        self._room = -1
        self._make_room(0)

    def _make_room(self, size: int) -> None:
        """Remove what was used longest ago until a file of a size fits in."""
        if self._limit is None:
            return
        self._room -= size
        if self._room >= 0:
            return
        with self._alone():
            entries = sorted(self._entries(self._limit))
            total = sum(entry.size for entry in entries)
            allowed = self._limit - size if size <= self._limit else self._limit
            if total > allowed:
                allowed -= int(self._limit * _SPARE)
            for entry in entries:
                if total <= allowed:
                    break
                if _removed(entry.path):
                    total -= entry.size
        # Others add, too: each looks again before it has used half of what is free.
        self._room = (self._limit - total - size) / 2

    def _entries(self, limit: int) -> Iterator[_Entry]:
        for path in (self._folder / "sha256").glob("*/*"):
            with contextlib.suppress(FileNotFoundError):  # removed by hand, meanwhile
                found = path.stat()
                size = found.st_size
                yield _Entry(fits=size <= limit, used=found.st_mtime_ns, size=size, path=path)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep every other process and thread from changing which files there are."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _path(self, name: str) -> Path:
        return self._folder / "sha256" / name[:2] / name


def _locked(path: Path) -> int:
    """A descriptor of a file with a shared lock on it; the file is still there by its name.

    Raises:
        FileNotFoundError: it is not there.
    """
    while True:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
            if _names(path, handle):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # removed between the two calls


def _names(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _removed(path: Path) -> bool:
    """Remove a file that nobody holds, and say whether it is gone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # it is held, or belongs to another account
        return False
    finally:
        os.close(handle)
    return True


def _touch(handle: int) -> None:
    """Note that a file is used now: mounts seldom keep the time of access."""
    now = time.time_ns()
    with contextlib.suppress(OSError):  # of another account
        os.utime(handle, ns=(now, now))
