"""What a killed process had not written yet: counted, by whoever comes after it.

A writer keeps its counts in a small file of its own beside its captures, as memory that the system
writes: they are there after any death of the process. It holds a lock on the file for its life, so
that a file whose lock is free is of a process that has ended, and is taken over once.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from pathlib import Path

_PREFIX, _SUFFIX = ".counts-", ".bin"
_COUNTS = struct.Struct("=QQQ")


class Losses:
    """Counts of one writer's captures that outlive its process.

    Touched under the writer's own lock. Where the disk does not take the file, nothing is kept.

    Args:
        folder: where the captures are; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}"
        self._handle = -1
        self._memory: mmap.mmap | None = None
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            self._open()

    def keep(self, taken: int, settled: int, lost: int) -> None:
        """Note how many captures were taken, or will be; written, or counted lost; and lost."""
        if self._memory is not None:
            _COUNTS.pack_into(self._memory, 0, taken, settled, lost)

    def close(self) -> None:
        """Take the file away: everything was written or told."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        if self._handle >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        self._handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Named when it is locked and whole: a store into a hole of a full disk would end us.
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._handle, bytes(_COUNTS.size))
            self._memory = mmap.mmap(self._handle, _COUNTS.size)
            temporary.rename(self._path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def inherited(folder: Path) -> int:
    """How many captures were lost by writers of a folder that were ended, each told once."""
    return sum(_taken_over(path) for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def _taken_over(path: Path) -> int:
    """What the writer of a file lost, if it has ended; the file is gone then."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return 0
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        counts = os.pread(handle, _COUNTS.size, 0)
        # Another may have taken it over between opening it and locking it.
        if not os.fstat(handle).st_nlink or len(counts) != _COUNTS.size:
            return 0
        path.unlink()
    except OSError:
        return 0
    finally:
        os.close(handle)
    taken, settled, lost = _COUNTS.unpack(counts)
    return int(max(0, taken - settled) + lost)
