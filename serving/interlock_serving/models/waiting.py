"""Requests that wait for a model, in the order in which they came. Kept on the event loop."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import attrs

from interlock_hookspecs import PluginError
from interlock_serving.v2.answers import Answer
from interlock_serving.v2.matrix import names_of
from interlock_serving.v2.protocol import Query


class Overloaded(PluginError):  # noqa: N818  (read as a sentence: raise Overloaded)
    """Too much waits; the same request may be taken a moment later."""


class Expired(PluginError):  # noqa: N818  (read as a sentence: raise Expired)
    """The time that the client gave the request was over before its turn came."""


class Asker(Protocol):
    """Who waits for an answer, as a future is told it."""

    def done(self) -> bool:
        """Whether it is gone or was answered already."""

    def set_result(self, result: Answer, /) -> None:
        """Take the answer."""

    def set_exception(self, exception: Exception, /) -> None:
        """Take why there is none."""


@attrs.define(eq=False)
class Waiting:
    """A request, and who is told its answer: nobody where it is a mirrored one.

    Attributes:
        query: the request.
        asker: who waits.
        since: when it came, by the loop's clock.
    """

    query: Query
    asker: Asker | None
    since: float

    @property
    def waits(self) -> bool:
        """Whether a result is still wanted."""
        return self.asker is None or not self.asker.done()

    def tell(self, result: Answer | PluginError) -> None:
        """Hand over a result to whoever waits."""
        asker = self.asker
        if asker is None:
            return
        if isinstance(result, PluginError):
            asker.set_exception(result)
        else:
            asker.set_result(result)


class Queue:
    """What waits.

    Args:
        most: rows at most, except that one request alone always has room.

    Attributes:
        rows: how many wait.
    """

    def __init__(self, most: int) -> None:
        self.rows = 0
        self._most = most
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waiting: Waiting) -> None:
        """Take one more.

        Raises:
            Overloaded: there is no room.
        """
        rows = waiting.query.rows
        if self.rows and self.rows + rows > self._most:
            raise Overloaded(f"{self.rows} rows wait already: try again soon")
        self._waiting.append(waiting)
        self.rows += rows

    def take_out(self, asker: Asker) -> bool:
        """Make room for others; False where the request waits no longer."""
        waiting = next((each for each in self._waiting if each.asker is asker), None)
        if waiting is None:
            return False
        self._waiting.remove(waiting)
        self.rows -= waiting.query.rows
        return True

    def take_batch(self, most: int) -> tuple[list[Waiting], int]:
        """The next requests of the same columns, and their rows together.

        Args:
            most: rows at most, except that a request is never divided.
        """
        first = self._waiting.popleft()
        batch, rows, names = [first], first.query.rows, names_of(first.query.values)
        while self._waiting:
            query = self._waiting[0].query
            if rows + query.rows > most or names_of(query.values) != names:
                break
            rows += query.rows
            batch.append(self._waiting.popleft())
        self.rows -= rows
        return batch, rows

    def take_all(self) -> list[Waiting]:
        """All that waits."""
        taken = [*self._waiting]
        self._waiting.clear()
        self.rows = 0
        return taken
