"""Ids: unique everywhere, ordered by time, short to read."""

from __future__ import annotations

import os
import threading
import time

_SHOWN = 8
_TICKS = 12  # bits that count within a millisecond
_lock = threading.Lock()
_last = 0


def new_id(kind: str) -> str:
    """A new id: the kind, and a UUID of version 7 (RFC 9562) in hexadecimal.

    48 bits of milliseconds since 1970, 12 bits that count within one, then 62 random bits. Ids
    sort in the order in which a process made them, even where its clock jumps back.

    >>> new_id("run").startswith("run-"), len(new_id("run"))
    (True, 36)
    >>> new_id("run") < new_id("run")
    True
    """
    global _last  # noqa: PLW0603  (a clock that never goes back has to remember)
    with _lock:
        _last = max((time.time_ns() // 1_000_000) << _TICKS, _last + 1)
        milliseconds, tick = _last >> _TICKS, _last & ((1 << _TICKS) - 1)
    noise = int.from_bytes(os.urandom(8), "big") >> 2
    high = (milliseconds << 16) | 0x7000 | tick
    low = (0b10 << 62) | noise
    return f"{kind}-{high:016x}{low:016x}"


def follow(identifier: str) -> None:
    """Let every id made from here on sort after this one, whatever this machine's clock says.

    "The latest" is found by id; so a clock that is behind must not hide what comes now.

    >>> theirs = new_id("run")
    >>> follow(theirs)
    >>> new_id("run") > theirs
    True
    """
    global _last  # noqa: PLW0603  (as above)
    high = int(identifier.rpartition("-")[2][:16], 16)
    with _lock:
        _last = max(_last, (high >> 16) << _TICKS | high & ((1 << _TICKS) - 1))


def short(identifier: str) -> str:
    """An id as a listing shows it and as a command takes it: the kind and its last eight digits.

    >>> short("run-0190f3c2a1b27def8a1b2c3d4e5f6071")
    'run-4e5f6071'
    >>> short("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    'sha256:e3b0c44298fc'
    """
    kind, dash, digits = identifier.partition("-")
    if not dash:
        # A digest is known by its beginning.
        return identifier[:19]
    return f"{kind}{dash}{digits[-_SHOWN:]}"
