"""What may be known of a call: the funnel tells it to whoever watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from interlock.errors import HookFailed
from interlock_hookspecs import Maker

UNANSWERED: Final[Any] = object()
"""The answer of a call that gave none: it raised, or was interrupted."""


class Called(NamedTuple):
    """One call of one plugin.

    Attributes:
        hook: what was asked.
        maker: who was asked.
        arguments: those that the plugin asked for, by name.
        answer: as it came, before its type was looked at; `UNANSWERED` where none did.
        error: what the plugin raised.
        started: when, on the clock of ``time.perf_counter``.
        seconds: how long it took.
    """

    hook: str
    maker: Maker
    arguments: Mapping[str, Any]
    answer: Any
    error: HookFailed | None
    started: float
    seconds: float


class Watcher(Protocol):
    """Sees every call of a funnel, each in the thread that made it."""

    def called(self, call: Called) -> None:
        """A call has ended, well or not."""

    def refused(self, error: HookFailed) -> None:
        """What came back from this thread's last call is of the wrong type."""
