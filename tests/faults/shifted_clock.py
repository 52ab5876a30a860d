"""Run in the process of a command before the command: its clock is SHIFT days off."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time

DAYS = dt.timedelta(days=float(os.environ["SHIFT"]))
NANOSECONDS = round(DAYS.total_seconds() * 1e9)
_datetime, _time, _time_ns = dt.datetime, time.time, time.time_ns


class _AnyDatetime(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _datetime)


class ShiftedDatetime(_datetime, metaclass=_AnyDatetime):
    """Differs from `datetime` in what it takes for now."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
        """The shifted time, as a plain datetime."""
        return _datetime.now(tz) + DAYS


time.time = lambda: _time() + DAYS.total_seconds()
time.time_ns = lambda: _time_ns() + NANOSECONDS
shifted = 0
for name, module in list(sys.modules.items()):
    if name.startswith("interlock") and vars(module).get("datetime") is _datetime:
        module.datetime = ShiftedDatetime
        shifted += 1
if not shifted:
    sys.exit("no module reads the clock as this expects")
