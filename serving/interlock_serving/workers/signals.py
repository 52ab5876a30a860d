"""The signals that end a server, heard for a while in a process's main thread.

SIGHUP is one of them, for a terminal that is closed, unless whoever started the process has it
ignored.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def heard(handler: Callable[[int, Any], Any]) -> Generator[None, None, None]:
    """Call a handler instead of what was called before; in another thread none is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, handler)
        for number in _SIGNALS
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
