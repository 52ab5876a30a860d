"""Which file a path leads to: another may be put in its place while it is open."""

from __future__ import annotations

import os

FileId = tuple[int, int]
"""Device and inode. A file that is open keeps both to itself, wherever it is moved."""


def file_id(path: str | os.PathLike[str]) -> FileId | None:
    """The file at a path now; None where there is none, or none that may be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  (ten times a second, and a Path is longer to make)
    except OSError:
        return None
    return found.st_dev, found.st_ino
