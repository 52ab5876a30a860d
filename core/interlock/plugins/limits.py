"""How long a hook may take, where this process can end it by itself: on the main thread.

A signal interrupts Python code and the system calls that it waits in. It cannot interrupt a
library's own loop in native code, nor another thread than the main one: only a process of its
own ends these, which is what an environment of its own gives a plugin.
"""

from __future__ import annotations

import functools
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import attrs

_AGAIN = 1.0
"""Seconds after which an alarm that a plugin swallowed is raised again."""

HINT = "mend what it waits for, or give it longer: hook_timeout in its table of the stack file"


class HookTimeout(Exception):  # noqa: N818  (read as a sentence)
    """A hook gave no answer in its time.

    Attributes:
        hint: what to do about it.
    """

    hint = HINT

    def __init__(self, seconds: float) -> None:
        super().__init__(f"gave no answer in {seconds:g} s")


@attrs.frozen(eq=False)
class _Deadline:
    at: float


class _Expired(BaseException):
    """Raised in the hook. No Exception: what a plugin does about its own errors lets it by."""

    def __init__(self, deadline: _Deadline) -> None:
        self.deadline = deadline


_deadlines: list[_Deadline] = []
"""Of the calls under way on the main thread, the outermost first."""
_before: list[Any] = []
"""The handler that was there before the outermost call, while one is under way."""


def within(
    seconds: float | None, who: str, function: Callable[..., Any], arguments: Sequence[Any]
) -> Any:
    """Call a function, and end it where it takes longer than it may.

    Args:
        seconds: how long it may take; None for any time.
        who: the plugin and the hook, for a warning where there is no ending it.
        function, arguments: the call.

    Raises:
        HookTimeout: it took longer.
    """
    if seconds is None:
        return function(*arguments)
    if threading.current_thread() is not threading.main_thread():
        _cannot(who)
        return function(*arguments)
    deadline = _Deadline(time.monotonic() + seconds)
    try:
        try:
            _begin(deadline)
            return function(*arguments)
        finally:
            _end(deadline)
    except _Expired as error:
        # The alarm may have come in the middle of the first.
        _end(deadline)
        if error.deadline is not deadline:
            raise
        raise HookTimeout(seconds) from error


@functools.cache
def _cannot(who: str) -> None:
    logging.getLogger("interlock.plugins").warning(
        "%s: hook_timeout is not kept outside of the main thread; give the plugin an environment "
        "of its own (python = ... in its table)",
        who,
    )


def _begin(deadline: _Deadline) -> None:
    if not _before:
        _before.append(signal.signal(signal.SIGALRM, _ring))
    _deadlines.append(deadline)
    _arm()


def _end(deadline: _Deadline) -> None:
    if deadline in _deadlines:
        del _deadlines[_deadlines.index(deadline) :]
    if _deadlines:
        _arm()
    elif _before:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, _before[-1])
        _before.clear()


def _arm() -> None:
    soonest = min(deadline.at for deadline in _deadlines) - time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, max(soonest, 0.001), _AGAIN)


def _ring(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a handler's arguments)
    now = time.monotonic()
    for deadline in _deadlines:
        if deadline.at <= now:
            raise _Expired(deadline)
