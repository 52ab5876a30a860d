"""The folder of captures as its readers see it, also while files of it are put together.

Whoever puts files together holds the folder's lock alone; whoever reads shares it. So a reader
finds the files either as they were or as they are after it, unless somebody was killed within. Such
a one leaves files that are *claimed*: hidden under a name that tells their own and that of the file
into which they go, ``.captures-A.parquet+captures-B-1.parquet``. Where that file exists their rows
are in it; where it does not, a claimed file counts as if it had its own name.

On a file system without locks nobody gets the lock, and nothing is put together.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import attrs

from interlock.errors import ArtifactError, InterlockError
from interlock.serving.capture_files import PREFIX, SUFFIX, reason

if TYPE_CHECKING:
    from pathlib import Path

_T = TypeVar("_T")

LOCK = ".captures.lock"
_INTO = "+"
_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.01


@attrs.frozen
class Claim:
    """A file whose rows go into another.

    Attributes:
        name: that it has while it is claimed.
        original: its own name.
        merged: the name of the other.
    """

    name: str
    original: str
    merged: str


def claim(original: str, merged: str) -> Claim:
    """The claim of a file for another.

    >>> claim("captures-a.parquet", "captures-b-1.parquet").name
    '.captures-a.parquet+captures-b-1.parquet'
    """
    return Claim(f".{original}{_INTO}{merged}", original, merged)


def claims(names: Iterable[str]) -> list[Claim]:
    """Those that are among the names of a folder."""
    parts = (name[1:].partition(_INTO) for name in names if name.startswith(f".{PREFIX}"))
    return [claim(original, merged) for original, into, merged in parts if into]


def listed(folder: Path) -> list[tuple[str, Path]]:
    """The files whose rows count, oldest first: the name of each, and where it is.

    Raises:
        ArtifactError: the folder cannot be read. One that does not exist holds nothing.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from error
    found = {name: name for name in names if name.startswith(PREFIX) and name.endswith(SUFFIX)}
    for each in claims(names):
        if each.merged not in names:
            found[each.original] = each.name
    return [(name, folder / found[name]) for name in sorted(found)]


def steadily(folder: Path, read: Callable[[], _T]) -> _T:
    """What is read from a folder while nobody puts files of it together.

    Args:
        folder: of captures. It need not be writable, nor exist.
        read: reads it; asked once more where the first lock came while it did.

    Raises:
        ArtifactError: the lock cannot be read.
        InterlockError: somebody holds it who does not go on.
    """
    while True:
        with _shared(folder) as held:
            found = read()
        if held or not (folder / LOCK).exists():
            return found


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Whether nobody else reads the folder or puts files together, for as long as this lasts.

    It does not wait. The lock's file is made where it is missing, and stays.

    Raises:
        OSError: it cannot be made, or the file system has no locks.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield _lock(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


@contextmanager
def _shared(folder: Path) -> Iterator[bool]:
    """Keep others from putting files together; False where there is no lock yet."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        yield False
        return
    except OSError as error:
        raise _unreadable(folder / LOCK, error) from error
    try:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not _shares(handle):
            if time.monotonic() > deadline:
                msg = f"{folder / LOCK} is held for {_WAIT_SECONDS:.0f} s by who does not go on"
                raise InterlockError(msg, hint="see who is stopped: fuser -v " + str(folder / LOCK))
            time.sleep(_POLL_SECONDS)
        # One that was removed in between is no lock.
        yield os.fstat(handle).st_nlink > 0
    finally:
        os.close(handle)


def _shares(handle: int) -> bool:
    try:
        return _lock(handle, fcntl.LOCK_SH)
    except OSError:
        # Without locks nobody has this one, and none is needed.
        return True


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Somebody may have removed the file between opening and locking it.
    return kind == fcntl.LOCK_SH or os.fstat(handle).st_nlink > 0


def _unreadable(path: Path, error: OSError) -> InterlockError:
    return ArtifactError(f"{path} cannot be read: {reason(error)}")
