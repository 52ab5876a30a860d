"""Which files of captures are to be put together: small ones of one day, each row a few times only.

Of a day that goes on, `TOGETHER` files of one level become one of the next; of a day that is over,
all become one. So a row is written three times more at most, and the rows of a file are of one day
in UTC: who removes files by their age keeps no row for more than a day longer. A file that is large
is left as it is.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from interlock.serving.capture_files import (
    PREFIX,
    RANDOM_DIGITS,
    SUFFIX,
    TIME_DIGITS,
    microseconds,
    name_of,
)

if TYPE_CHECKING:
    from pathlib import Path

TOGETHER = 64
"""Files of one level that become one of the next."""
_AT_MOST = 4 * TOGETHER
"""Files that are read at once."""
LAST = 3
"""The level of files that are left as they are."""
_LARGE = 1 << 20
"""Bytes of a file that is left as it is."""
_DAY = timedelta(days=1) // timedelta(microseconds=1)
_LATE = timedelta(minutes=10)
"""After a day's end: what was answered before it may still be written."""
_NAME = re.compile(
    rf"{PREFIX}([0-9a-f]{{{TIME_DIGITS + RANDOM_DIGITS}}})(?:-([1-{LAST}]))?{re.escape(SUFFIX)}"
)


@attrs.frozen
class File:
    """A file as its name tells it.

    Attributes:
        digits: the time of its latest capture, and random ones.
        level: how often its rows were put together with others.
    """

    digits: str
    level: int

    @property
    def name(self) -> str:
        """In its folder."""
        return name_of(self.digits, self.level)

    @property
    def latest(self) -> int:
        """The time of its latest capture, as `microseconds` gives it."""
        return int(self.digits[:TIME_DIGITS], 16)

    def raised(self, level: int) -> str:
        """Its name on another level."""
        return name_of(self.digits, level)


def due_files(folder: Path, now: datetime) -> tuple[list[File], int] | None:
    """Files of one day that are to be put together, oldest first, and the level they come to."""
    today = microseconds(now - _LATE) // _DAY
    days: dict[int, list[File]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            file = as_file(entry.name)
            if file is not None and file.level < LAST and _size(entry) < _LARGE:
                days.setdefault(file.latest // _DAY, []).append(file)
    for day, unsorted in sorted(days.items()):
        files = sorted(unsorted, key=lambda file: file.name)
        if day < today and 1 < len(files) <= _AT_MOST:
            return files, LAST
        for level in range(LAST):
            alike = [file for file in files if file.level == level]
            if len(alike) >= TOGETHER:
                return alike[:_AT_MOST], level + 1
    return None


def as_file(name: str) -> File | None:
    """The file that a name tells; None where it is no name of ours."""
    found = _NAME.fullmatch(name)
    return File(found[1], int(found[2] or 0)) if found else None


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0
