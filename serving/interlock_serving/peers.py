"""A worker's side of an endpoint of several processes: it says how it is, and hears of the others.

Over a socket that it shares with the supervisor, a line of JSON each: it tells its own state, and
is told the others'. When that socket ends, the supervisor is gone, and the worker stops.
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

from interlock_serving import merged

ENVIRONMENT = "INTERLOCK_DEPLOY_LOCAL_WORKER"
"""Tells a process that it is a worker: which one, the port of gRPC, 0 without one, and the numbers
of its control socket and of the sockets on which it and the others listen."""

TELL_SECONDS = 0.2
_LINE = 16 * 1024 * 1024


@attrs.define(eq=False)
class Peers:
    """What the other workers of an endpoint say; nothing where there are none.

    Attributes:
        counted: gives this worker's counts for metrics, where they are wanted.
        others: the state of each other worker, as it last said.
        past: what workers counted that are gone, in the shape of a state.
        starting: how many workers are not there.
        alone: whether none has been heard of yet.
    """

    counted: Callable[[], dict[str, Any]] | None = None
    others: list[dict[str, Any]] = attrs.field(factory=list)
    past: dict[str, Any] = attrs.field(factory=dict)
    starting: int = 0
    alone: bool = True

    def combined(self, own: dict[str, Any]) -> dict[str, Any]:
        """The endpoint's readiness out of this worker's."""
        if self.alone:
            return {**own, "ready": False, "problem": "this worker has just begun", "workers": []}
        said = [state["readiness"] for state in self.others]
        return merged.readiness(own, said, self.past, self.starting)

    def metrics(self) -> dict[str, Any]:
        """The endpoint's counts, this worker's with the others'."""
        said = [state["metrics"] for state in self.others if state["metrics"]]
        if self.past:
            said.append({**self.past["metrics"], "lost": self.past["lost"]})
        own = self.counted() if self.counted else {}
        return functools.reduce(merged.added, said, own)

    def state(self, own: dict[str, Any]) -> dict[str, Any]:
        """What this worker tells the others."""
        return {"readiness": own, "metrics": self.counted() if self.counted else None}


@attrs.frozen(eq=False)
class Worker:
    """What a worker has from its supervisor.

    Attributes:
        number: which worker of the endpoint.
        control: the socket to the supervisor.
        listeners: where each worker's connections come, this one's among them.
        grpc_port: where its gRPC calls come, as the others'.
    """

    number: int
    control: socket.socket
    listeners: tuple[socket.socket, ...]
    grpc_port: int = 0

    @classmethod
    def of_this_process(cls) -> Worker | None:
        """What a supervisor gave this process; None where none started it."""
        numbers = os.environ.pop(ENVIRONMENT, None)
        if numbers is None:
            return None
        number, grpc_port, *handles = map(int, numbers.split(","))
        control, *listeners = (socket.socket(fileno=handle) for handle in handles)
        return cls(number, control, tuple(listeners), grpc_port)

    @property
    def listener(self) -> socket.socket:
        """Where this worker's connections come."""
        return self.listeners[self.number]

    async def talk(
        self,
        peers: Peers,
        readiness: Callable[[], dict[str, Any]],
        cover: Callable[[frozenset[int]], Awaitable[None]],
        stop: Callable[[], None],
    ) -> None:
        """Tell and hear, until the supervisor is gone; then stop.

        Args:
            peers: takes what is heard.
            readiness: gives what is told.
            cover: takes the connections of these workers, and of no others, beside the own.
            stop: ends this worker.
        """
        reader, writer = await asyncio.open_connection(sock=self.control, limit=_LINE)
        telling = asyncio.create_task(_tell(writer, peers, readiness))
        try:
            while line := await reader.readline():
                heard = orjson.loads(line)
                peers.others, peers.past = heard["others"], heard["past"]
                peers.starting, peers.alone = heard["starting"], False
                await cover(frozenset(heard["vacant"]) - {self.number})
        except OSError:
            pass
        finally:
            telling.cancel()
            stop()


async def _tell(
    writer: asyncio.StreamWriter, peers: Peers, readiness: Callable[[], dict[str, Any]]
) -> None:
    while True:
        writer.write(orjson.dumps(peers.state(readiness()), option=orjson.OPT_APPEND_NEWLINE))
        await writer.drain()
        await asyncio.sleep(TELL_SECONDS)
