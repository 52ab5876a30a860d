"""How long labels take: ``30d``, ``12h`` for timestamps, whole periods for integer time."""

from __future__ import annotations

import re
from datetime import timedelta

from interlock_hookspecs import Instant, InvalidInput, Window

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DELAY = re.compile(r"(\d+)\s*([mhdw])")


def parse_delay(value: int | str) -> int | timedelta:
    """A delay as a stack file writes it: a whole number of periods, or a number with its unit.

    Raises:
        ValueError: it is negative, or of no known unit.

    >>> parse_delay("30d"), parse_delay(2)
    (datetime.timedelta(days=30), 2)
    """
    if isinstance(value, str):
        match = _DELAY.fullmatch(value.strip())
        if match:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
    elif value >= 0:
        return value
    msg = 'expected whole periods, for example 1, or a time in m, h, d or w, for example "30d"'
    raise ValueError(msg)


def due(window: Window, delay: int | timedelta) -> Instant:
    """When the labels of a window are expected to be there: its end and the delay.

    Raises:
        InvalidInput: the delay is of the other kind of time.
    """
    if not delay:
        return window.end
    if isinstance(window.end, int):
        if isinstance(delay, int):
            return window.end + delay
        msg = "label_delay is a time and the windows are over whole periods: write for example 1"
        raise InvalidInput(msg)
    if isinstance(delay, timedelta):
        return window.end + delay
    msg = 'label_delay is a number and the windows are over timestamps: write for example "30d"'
    raise InvalidInput(msg)


def passed(instant: Instant, now: Instant) -> bool:
    """Whether an instant is over, both being of one kind of time.

    Raises:
        InvalidInput: they are of different kinds.
    """
    if isinstance(instant, int):
        if isinstance(now, int):
            return instant <= now
    elif not isinstance(now, int):
        return instant <= now
    msg = "the window's end and its as_of are of different kinds of time"
    raise InvalidInput(msg)
