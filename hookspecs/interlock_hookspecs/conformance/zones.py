"""The time zone of a process, changed for a while."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

AHEAD, BEHIND = "AHEAD-14", "BEHIND12"
"""Fourteen hours before UTC, and twelve after: no day is the same in both."""


@contextlib.contextmanager
def in_zone(zone: str) -> Iterator[None]:
    """Let this process be in a time zone, written as POSIX does; then where it was.

    A test is left, saying so, on a platform that cannot change it.
    """
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be changed on this platform")
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
