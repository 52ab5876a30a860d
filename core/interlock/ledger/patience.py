"""A server that went away: which errors say so, and how long it is waited for."""

from __future__ import annotations

import time
from typing import Any

_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)

# Of SQLSTATE: connection exceptions, the server's end by hand and by crash, its start, its fill.
_AWAY = ("08", "57P01", "57P02", "57P03", "53300")


def is_away(error: BaseException) -> bool:
    """Whether an error says that the connection or the server is gone, and nothing of the work.

    A file does not go away: SQLite's errors have no SQLSTATE at all. A connection that is lost
    has an empty one, since nobody was left to say it.
    """
    cause: Any = getattr(error, "orig", None) or error
    if not hasattr(cause, "sqlstate"):
        return False
    from psycopg import OperationalError

    if not isinstance(cause, OperationalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith(_AWAY)


class Patience:
    """Waits for a server to come back, until it has waited long enough.

    It is spent once: what comes after a wait that was in vain fails at once, until the server
    answers again.

    Attributes:
        seconds: how long altogether; 0 for not at all.
    """

    seconds = 30.0  # a restart takes a few

    def __init__(self) -> None:
        self._away_since: float | None = None
        self._turn = 0

    def answered(self) -> None:
        """The server answered."""
        self._away_since, self._turn = None, 0

    def holds(self) -> bool:
        """Wait a little and answer True, or answer False where it is spent."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        if now - self._away_since >= self.seconds:
            return False
        time.sleep(_PAUSES[min(self._turn, len(_PAUSES) - 1)])
        self._turn += 1
        return True
