"""Requests that wait for a model, in the order in which they came. Kept on the event loop."""

from __future__ import annotations

import asyncio
from collections import deque

import attrs

from interlock_hookspecs import PluginError
from interlock_serving.answers import Answer
from interlock_serving.matrix import names_of
from interlock_serving.protocol import Query


class Overloaded(PluginError):  # noqa: N818  (read as a sentence: raise Overloaded)
    """Too much waits; the same request may be taken a moment later."""


class Expired(PluginError):  # noqa: N818  (read as a sentence: raise Expired)
    """The time that the client gave the request was over before its turn came."""


@attrs.define(eq=False)
class Waiting:
    """A request, and who is told its answer: nobody where it is a mirrored one.

    Attributes:
        query: the request.
        future: of whoever waits.
        since: when it came, by the loop's clock.
    """

    query: Query
    future: asyncio.Future[Answer] | None
    since: float

    def tell(self, result: Answer | PluginError) -> bool:
        """Hand over a result; False where whoever waited is gone or was answered already."""
        future = self.future
        if future is None:
            return True
        if future.done():
            return False
        if isinstance(result, PluginError):
            future.set_exception(result)
        else:
            future.set_result(result)
        return True


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

    def take_out(self, future: asyncio.Future[Answer]) -> bool:
        """Make room for others; False where the request waits no longer."""
        waiting = next((each for each in self._waiting if each.future is future), None)
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
