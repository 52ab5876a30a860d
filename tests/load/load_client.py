"""Asks an endpoint without a pause, over many connections, and checks every answer.

``python load_client.py PLAN RESULT`` asks until its standard input ends. A connection that breaks
is made again at once; what it had asked then stays unanswered, and is on record with the worker
that had it. Nothing is asked twice. A connection has so many requests and is closed, so that all
workers have their share, the new ones too.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any, cast

import orjson

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
BROKEN = "the connection broke"
_AGAIN_SECONDS = 0.02
_KEPT = 20
_CELLS = 4_000
_CELL_SECONDS = 0.001


class Tally:
    """What came of asking.

    Attributes:
        plan: where, what, and what is to be answered.
        answered: by release.
        wrong: how many answers are none of the release that they name.
        examples: the first few of them.
        unanswered: of each request that got no answer its connection, its number, why, and the
            process of the worker.
        greetings: connections that broke before they knew their worker.
        refused: connections that nobody took.
        cells: answers by their time, a millisecond each.
        longest: seconds of the slowest answer.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.answered: dict[str, int] = {}
        self.wrong = 0
        self.examples: list[Any] = []
        self.unanswered: list[tuple[int, int, str, int]] = []
        self.greetings = 0
        self.refused = 0
        self.cells = [0] * (_CELLS + 1)
        self.longest = 0.0
        self.stopping = False

    def told(self, seconds: float, askers: list[Asker]) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "seconds": seconds,
            "answered": self.answered,
            "wrong": self.wrong,
            "examples": self.examples,
            "unanswered": self.unanswered,
            "greetings": self.greetings,
            "refused": self.refused,
            "p50": self._quantile(0.5),
            "p99": self._quantile(0.99),
            "longest": self.longest,
            "asked": [asker.number for asker in askers],
            "workers": [asker.workers for asker in askers],
        }

    def _quantile(self, share: float) -> float:
        left = share * sum(self.cells)
        for place, count in enumerate(self.cells):
            left -= count
            if left <= 0:
                return (place + 1) * _CELL_SECONDS
        return self.longest


class Asker:
    """One connection at a time, over which one request after the other is asked.

    Attributes:
        place: which of the connections.
        number: how many requests it asked.
        workers: from which number on which process answered.
    """

    def __init__(self, place: int, tally: Tally) -> None:
        self.place = place
        self.number = 0
        self.workers: list[tuple[int, int]] = []
        self._tally = tally

    async def run(self) -> None:
        """Ask until told to stop."""
        loop, plan = asyncio.get_running_loop(), self._tally.plan
        while not self._tally.stopping:
            try:
                _, link = await loop.create_connection(
                    lambda: _Link(self, self._tally), plan["host"], plan["port"]
                )
            except OSError:
                self._tally.refused += 1
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            await link.ended


class _Link(asyncio.Protocol):
    """A connection. It asks first who is at its other end."""

    def __init__(self, asker: Asker, tally: Tally) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._asker = asker
        self._tally = tally
        self._came = b""
        self._wanted = 0
        self._head = 0
        self._worker = 0
        self._open = False
        self._asked = 0.0
        self._left = tally.plan["requests"]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"GET /v2/health/ready HTTP/1.1\r\nhost: load\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self._came += data
        if not self._wanted:
            head, end, _ = self._came.partition(_END)
            if not end:
                return
            length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
            self._head = len(head) + len(_END)
            self._wanted = self._head + int(length)
        if len(self._came) < self._wanted:
            return
        status, body = int(self._came[9:12]), orjson.loads(self._came[self._head : self._wanted])
        self._came, self._wanted = b"", 0
        if not self._worker:
            self._worker = body["pid"]
            self._asker.workers.append((self._asker.number, self._worker))
        else:
            self._take(status, body)
        if self._tally.stopping or not self._left:
            self._transport.close()
        else:
            self._left -= 1
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._open:
            self._miss(f"{BROKEN}: {exc}")
        elif not self._worker:
            self._tally.greetings += 1
        self.ended.set_result(None)

    def _ask(self) -> None:
        plan, asker = self._tally.plan, self._asker
        row = plan["rows"][asker.number % len(plan["rows"])]
        inputs = [
            {"name": name, "datatype": "INT64" if name == "id" else "FP64", "shape": [1],
             "data": [value]}
            for name, value in row.items()
        ]  # fmt: skip
        body = orjson.dumps({"id": f"{asker.place}-{asker.number}", "inputs": inputs})
        head = f"POST {plan['path']} HTTP/1.1\r\nhost: load\r\ncontent-length: {len(body)}\r\n\r\n"
        asker.number += 1
        self._open = True
        self._asked = time.perf_counter()
        self._transport.write(head.encode() + body)

    def _take(self, status: int, said: dict[str, Any]) -> None:
        tally, asker = self._tally, self._asker
        taken = time.perf_counter() - self._asked
        self._open = False
        tally.cells[min(_CELLS, int(taken / _CELL_SECONDS))] += 1
        tally.longest = max(tally.longest, taken)
        if status != 200:  # noqa: PLR2004  (HTTP's own)
            self._miss(f"{status} {said.get('error')}")
            return
        number = asker.number - 1
        release = said.get("model_version")
        row = number % len(tally.plan["rows"])
        wanted = tally.plan["expected"].get(release, {})
        given = {output["name"]: output["data"][0] for output in said["outputs"]}
        right = said["id"] == f"{asker.place}-{number}" and wanted and given == wanted[row]
        tally.answered[release] = tally.answered.get(release, 0) + 1
        if not right:
            tally.wrong += 1
            if len(tally.examples) < _KEPT:
                tally.examples.append(said)

    def _miss(self, why: str) -> None:
        self._open = False
        number = self._asker.number - 1
        self._tally.unanswered.append((self._asker.place, number, why, self._worker))


async def ask(plan: dict[str, Any]) -> dict[str, Any]:
    """Ask as a plan says, until standard input ends."""
    tally, loop = Tally(plan), asyncio.get_running_loop()
    askers = [Asker(place, tally) for place in range(plan["connections"])]
    began = time.perf_counter()
    tasks = [asyncio.create_task(asker.run()) for asker in askers]
    await loop.run_in_executor(None, sys.stdin.read)
    tally.stopping = True
    await asyncio.gather(*tasks)
    return tally.told(time.perf_counter() - began, askers)


def main() -> None:
    """Read the plan, ask, and write the result whole."""
    import uvloop

    plan, result = map(Path, sys.argv[1:])
    said = uvloop.run(ask(orjson.loads(plan.read_bytes())))
    temporary = result.with_suffix(".tmp")
    temporary.write_bytes(orjson.dumps(said))
    temporary.replace(result)


if __name__ == "__main__":
    main()
