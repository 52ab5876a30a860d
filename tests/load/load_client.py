"""Asks an endpoint without a pause, over many connections, and checks every answer.

``python load_client.py PLAN RESULT`` asks until its standard input ends, over HTTP with JSON and
with binary tensors, and over gRPC, all at once. A connection that breaks is made again at once;
what it had asked then stays unanswered, and is on record with the worker that had it. Nothing is
asked twice. A connection has so many requests and is closed, so that all workers have their share,
the new ones too.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from load_grpc import GrpcAsker
from load_http import HttpAsker
from load_tally import Asker, Tally


def askers_of(tally: Tally) -> list[Asker]:
    """Those of each protocol, as many as the plan says."""
    lock = asyncio.Lock()
    wanted = [name for name, count in tally.plan["connections"].items() for _ in range(count)]
    return [
        GrpcAsker(place, name, tally, one_at_a_time=lock)
        if name == "grpc"
        else HttpAsker(place, name, tally)
        for place, name in enumerate(wanted)
    ]


async def ask(plan: dict[str, Any]) -> dict[str, Any]:
    """Ask as a plan says, until standard input ends."""
    tally, loop = Tally(plan), asyncio.get_running_loop()
    askers = askers_of(tally)
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
