"""Ids: unique everywhere, ordered by time, short to read."""

from __future__ import annotations

import os
import time

_SHOWN = 8


def new_id(kind: str) -> str:
    """A new id: the kind, and a UUID of version 7 (RFC 9562) in hexadecimal.

    48 bits of milliseconds since 1970, then 74 random bits; so ids sort by time.

    >>> new_id("run").startswith("run-"), len(new_id("run"))
    (True, 36)
    """
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds << 16) | 0x7000 | (noise >> 68)
    low = (0b10 << 62) | (noise & ((1 << 62) - 1))
    return f"{kind}-{high:016x}{low:016x}"


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
