"""Interleaved pairs of two ways to do one thing, and the ratio of their medians."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import attrs


@attrs.frozen
class Cost:
    """Seconds of one run: on the wall, and of the processor."""

    wall: float
    cpu: float


def child_environment() -> dict[str, str]:
    """The environment of a timed process: bytecode is written, so that imports are as users have."""
    environ = dict(os.environ)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def run_process(command: Sequence[str], **options: object) -> Cost:
    """Run a command to its end and give what it cost, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        command, env=child_environment(), capture_output=True, check=False, text=True, **options
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu)


def interleaved(
    ours: Callable[[], Cost], theirs: Callable[[], Cost], *, pairs: int
) -> tuple[Cost, Cost]:
    """The medians of both after a pair to warm up, run in turn."""
    ours()
    theirs()
    mine, other = [], []
    for _ in range(pairs):
        mine.append(ours())
        other.append(theirs())
    return _median(mine), _median(other)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
    )


def judge(name: str, value: float, bound: float, *, unit: str = "x") -> bool:
    """Print one line of a result, and say whether it is within its bound."""
    held = value <= bound
    print(f"{name:<58} {value:8.3f} {unit:<3} bound {bound:g} {'ok' if held else 'MISSED'}")
    return held


def finish(*held: bool) -> None:
    """End the script: non-zero where a bound was missed."""
    sys.exit(0 if all(held) else 1)
