"""A worker's side of an endpoint of several processes: it says how it is, and hears of the others.

Over a socket that it shares with the supervisor, a line of JSON each: it tells its own state, and
is told the others'. When that socket ends, the supervisor is gone, and the worker stops. What was
counted goes another way, which a kill does not cut: see `interlock_serving.workers.totals`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import orjson

from interlock_serving.workers import merged
from interlock_serving.workers.slots import Slot
from interlock_serving.workers.totals import Totals, added

ENVIRONMENT = "INTERLOCK_DEPLOY_LOCAL_WORKER"
"""Tells a process that it is a worker: which one, the port of gRPC, 0 without one, and the numbers
of its control socket, of the sockets on which it and the others listen, and of their slots."""

TELL_SECONDS = 0.2
_LINE = 16 * 1024 * 1024


@attrs.define(eq=False)
class Peers:
    """What the other workers of an endpoint say; nothing where there are none.

    Attributes:
        readiness: gives this worker's.
        totals: what all of them counted; None where this process is the endpoint.
        counted: gives this worker's counts for metrics, where they are wanted.
        others: the state of each other worker, as it last said.
        starting: how many workers are not there.
        alone: whether none has been heard of yet.
    """

    readiness: Callable[[], dict[str, Any]] = dict
    totals: Totals | None = None
    counted: Callable[[], dict[str, Any]] | None = None
    others: list[dict[str, Any]] = attrs.field(factory=list)
    starting: int = 0
    alone: bool = True

    def combined(self, own: dict[str, Any]) -> dict[str, Any]:
        """The endpoint's readiness out of this worker's."""
        if self.totals is None:
            return own
        total = self.totals.total(own, _of_slots(self._counted()), self._heard())
        if self.alone:
            begun = {"ready": False, "problem": "this worker has just begun", "workers": []}
            return {**own, **begun, **merged.counted(total, [own])}
        return merged.readiness(own, self._heard() or [], total, self.starting)

    def metrics(self) -> dict[str, Any]:
        """The endpoint's counts, this worker's with the others'."""
        own = self._counted()
        if self.totals is None:
            return own
        total = self.totals.total(self.readiness(), _of_slots(own), self._heard())
        late = functools.reduce(added, (state["late"] for state in self.others), own["late"])
        return {**total.counts, "late": late, "lost": total.lost, "skipped": total.skipped}

    def state(self) -> dict[str, Any]:
        """What this worker tells the others, once it stands in its slot what it counted."""
        own, counted = self.readiness(), self._counted()
        if self.totals is not None:
            self.totals.tell(own, _of_slots(counted), self._heard())
        return {"readiness": own, "late": counted.get("late", {})}

    def _counted(self) -> dict[str, Any]:
        return self.counted() if self.counted else {}

    def _heard(self) -> list[dict[str, Any]] | None:
        """The others' readiness; None while nothing was heard of them."""
        return None if self.alone else [state["readiness"] for state in self.others]


def _of_slots(counted: dict[str, Any]) -> dict[str, Any]:
    """The counts for metrics that go through slots; the others are told, or stand in readiness."""
    apart = ("late", "lost", "skipped")
    return {name: series for name, series in counted.items() if name not in apart}


@attrs.frozen(eq=False)
class Worker:
    """What a worker has from its supervisor.

    Attributes:
        number: which worker of the endpoint.
        control: the socket to the supervisor.
        listeners: where each worker's connections come, this one's among them.
        slots: where each says what it counted.
        grpc_port: where its gRPC calls come, as the others'.
    """

    number: int
    control: socket.socket
    listeners: tuple[socket.socket, ...]
    slots: tuple[Slot, ...]
    grpc_port: int = 0

    @classmethod
    def of_this_process(cls) -> Worker | None:
        """What a supervisor gave this process; None where none started it."""
        numbers = os.environ.pop(ENVIRONMENT, None)
        if numbers is None:
            return None
        number, grpc_port, control, *handles = map(int, numbers.split(","))
        places = len(handles) // 2
        listeners = tuple(socket.socket(fileno=handle) for handle in handles[:places])
        slots = tuple(map(Slot, handles[places:]))
        return cls(number, socket.socket(fileno=control), listeners, slots, grpc_port)

    @property
    def listener(self) -> socket.socket:
        """Where this worker's connections come."""
        return self.listeners[self.number]

    async def talk(
        self,
        peers: Peers,
        cover: Callable[[frozenset[int]], Awaitable[None]],
        stop: Callable[[], None],
    ) -> None:
        """Tell and hear, until the supervisor is gone; then stop.

        Args:
            peers: gives what is told, takes what is heard.
            cover: takes the connections of these workers, and of no others, beside the own.
            stop: ends this worker.
        """
        reader, writer = await asyncio.open_connection(sock=self.control, limit=_LINE)
        telling = asyncio.create_task(_tell(writer, peers))
        try:
            while line := await reader.readline():
                heard = orjson.loads(line)
                peers.others, peers.starting = heard["others"], heard["starting"]
                peers.alone = False
                await cover(frozenset(heard["vacant"]) - {self.number})
        except OSError:
            pass
        finally:
            telling.cancel()
            stop()


async def _tell(writer: asyncio.StreamWriter, peers: Peers) -> None:
    while True:
        writer.write(orjson.dumps(peers.state(), option=orjson.OPT_APPEND_NEWLINE))
        await writer.drain()
        await asyncio.sleep(TELL_SECONDS)
