"""A client that costs little: sockets on an event loop, each asks again once it was answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import attrs

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@attrs.frozen
class Load:
    """What came of asking for a while.

    Attributes:
        rate: answers a second.
        p50, p99: milliseconds of an answer.
        cpu: microseconds of the server's processor time an answer.
    """

    rate: float
    p50: float
    p99: float
    cpu: float


class _Asker(asyncio.Protocol):
    def __init__(self, request: bytes, until: float, times: list[float]) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._request = request
        self._until = until
        self._times = times
        self._answer = b""
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._wanted:
            head, end, _ = self._answer.partition(_END)
            if not end:
                return
            if b" 200 " not in head[:13]:
                self._fail(f"the server answered {self._answer!r}")
                return
            length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
            self._wanted = len(head) + len(_END) + int(length)
        if len(self._answer) < self._wanted:
            return
        now = time.perf_counter()
        self._times.append(now - self._asked)
        if now < self._until:
            self._ask()
        else:
            self.ended.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._fail(f"the server closed a connection: {exc}")

    def _ask(self) -> None:
        self._answer = b""
        self._wanted = 0
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def _fail(self, why: str) -> None:
        self.ended.set_exception(RuntimeError(why))
        self._transport.close()


def ask(port: int, pid: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Ask a server of this machine over some connections for a while."""
    import uvloop

    return uvloop.run(_ask(port, pid, request, connections, seconds))


async def _ask(port: int, pid: int, request: bytes, connections: int, seconds: float) -> Load:
    times: list[float] = []
    loop = asyncio.get_running_loop()
    before, started = processor_seconds(pid), time.perf_counter()
    until = started + seconds
    made = [
        loop.create_connection(lambda: _Asker(request, until, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*[asker.ended for _, asker in await asyncio.gather(*made)])
    taken = time.perf_counter() - started
    cpu = processor_seconds(pid) - before
    times.sort()
    return Load(
        rate=len(times) / taken,
        p50=_at(times, 0.5) * 1e3,
        p99=_at(times, 0.99) * 1e3,
        cpu=cpu / len(times) * 1e6,
    )


def processor_seconds(pid: int) -> float:
    """What a process and its children used so far, threads that ended included."""
    import psutil

    pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    # Linux's number for the clock of another process; see clock_getcpuclockid(3).
    return sum(time.clock_gettime(~each << 3 | 2) for each in pids)


def _at(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]
