"""Integer periods on the calendar: which of them lie further ahead than any row can know."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

_YEARS_AHEAD = 10
_YEARS = range(1900, 2201)
_EPOCH = (10**9, 4 * 10**9)
"""Seconds since 1970 that are taken for such: 2001 to 2096."""


def far_ahead(like: int, now: datetime) -> int | None:
    """The first period that is more than ten years ahead; None where periods are on no calendar.

    A period may lie ahead: a forecast is of next year. One that is decades ahead is a slip.

    Args:
        like: a period that tells how they are written: a year (2018), a month (201801), a day
            (20180131), or seconds, milli-, micro- or nanoseconds since 1970. Other numbers, as
            those of weeks since a beginning, are on no calendar that is known here.
        now: aware.

    >>> now = datetime(2026, 3, 1, tzinfo=UTC)
    >>> [far_ahead(like, now) for like in (2018, 201801, 20180131, 7)]
    [2037, 203701, 20370101, None]
    """
    year = now.year + _YEARS_AHEAD + 1
    if like in _YEARS:
        return year
    if like // 100 in _YEARS and 1 <= like % 100 <= 12:  # noqa: PLR2004  (months)
        return year * 100 + 1
    if like // 10_000 in _YEARS:
        with suppress(ValueError):
            date(like // 10_000, like // 100 % 100, like % 100)
            return year * 10_000 + 101
    for unit in (1, 10**3, 10**6, 10**9):
        if _EPOCH[0] * unit <= like < _EPOCH[1] * unit:
            return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * unit
    return None
