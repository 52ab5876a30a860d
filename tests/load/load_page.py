"""Write docs/under-load.md from what the last load came to."""

from __future__ import annotations

import os
import platform
import statistics
from collections import Counter
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "build" / "load" / "result.json"
PAGE = ROOT / "docs" / "under-load.md"
_PACKAGES = (
    "uvicorn",
    "orjson",
    "grpcio",
    "numpy",
    "pyarrow",
    "scikit-learn",
    "skops",
    "onnxruntime",
)
_PROTOCOLS = {"json": "HTTP with JSON", "binary": "HTTP with binary tensors", "grpc": "gRPC"}
_MB = 1e6
_TEXT = """# Serving under load

`make load` asks an endpoint of two workers without a pause, over {connections} connections at once:
{protocols}.
Each asks again once it was answered, and is made anew after a hundred requests. Meanwhile

- the live release changes once a second on average, from a scikit-learn model to an ONNX model and
  back, as by `interlock deploy`; each change counts once every worker has taken it over;
- a canary comes that is bad on purpose (one fails, one is late, one answers the opposite), which
  the rollout's analysis has to take out. The release that it is compared with stays meanwhile, and
  the changes that it held up are made up for;
- `interlock rollback` goes back once;
- a worker is killed with `SIGKILL` every {kill_seconds:.0f} s. One is left alone: its memory tells.

The command fails where one of these is not so:

- Every answer is that of the release that it names: its scores are compared, bit for bit, with
  those that the release's model gives without a server.
- A request fails only where it was in flight in a worker that was killed, or where the bad canary
  itself failed. No connection is refused.
- Every answered request is captured once. What a killed worker had not written yet, about its last
  second, is counted in `captures_lost`, by its successor.
- Every bad canary goes back by itself, for the reason that it is bad.
- Memory in the last third of the time is not above that in the first third by more than a tenth
  and 16 MB.

`make test` does the same for half a minute.

| | |
|---|---|
{rows}

Measured on {day}: {machine}, load average {load}. Client, commands and endpoint shared
the machine with other work.

Versions: {versions}.
"""


def write_result(run: Any, seconds: float, kill_seconds: float) -> None:
    """Keep what a load came to.

    Args:
        run: with ``client``, ``connections``, ``story``, ``captured``, ``lost`` and
            ``estimators``.
        seconds: how long it was.
        kill_seconds: how often a worker was killed.
    """
    client, story = run.client, run.story
    silent = Counter(
        "killed" if worker in story.killed and not why.startswith("500") else "canary"
        for _, _, why, worker in client["unanswered"]
    )
    canaries = [
        (run.estimators[release], seconds, reason) for release, reason, seconds in story.canaries
    ]
    memory = {
        "elder" if pid == story.elder else "supervisor": _thirds(samples)
        for pid, samples in story.memory.items()
    }
    said = {
        "seconds": client["seconds"],
        "asked_for": seconds,
        "kill_seconds": kill_seconds,
        "connections": run.connections,
        "answered": client["by"],
        "p50": client["p50"],
        "p99": client["p99"],
        "longest": client["longest"],
        "wrong": client["wrong"],
        "refused": client["refused"],
        "in_flight": silent["killed"] + client["greetings"],
        "canary_faults": silent["canary"],
        "swaps": len(story.swaps),
        "swapping": story.seconds,
        "shares": story.shares,
        "canaries": canaries,
        "killed": len(story.killed),
        "captured": run.captured.requests,
        "missing": len(run.captured.missing),
        "twice": run.captured.twice,
        "lost": run.lost,
        "memory": memory,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "load": round(os.getloadavg()[1], 1),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
        },
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))


def _thirds(samples: list[tuple[float, int]]) -> tuple[float, float]:
    """The medians of the first and of the last third, in MB."""
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    return tuple(statistics.median(held for _, held in part) / _MB for part in (first, last))


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} x {model}"


def page(said: dict[str, Any]) -> str:
    """The whole page."""
    kinds = Counter(name for name, *_ in said["canaries"])
    slowest = max(seconds for _, seconds, _ in said["canaries"])
    bad = ", ".join(f"{count} {name.lower()}" for name, count in sorted(kinds.items()))
    by, seconds = said["answered"], said["seconds"]
    answered = sum(by.values())
    often = said["swaps"] / said["swapping"]
    swaps = f"{said['swaps']:,} in {said['swapping']:.0f} s, {often:.2f} a second"
    taken = (f"{1e3 * said[name]:.0f} ms" for name in ("p50", "p99"))
    rows = [
        ("time", f"{seconds:.0f} s"),
        ("requests answered", f"{answered:,}, {answered / seconds:,.0f} a second"),
        *((f"over {words}", f"{by[name]:,}") for name, words in _PROTOCOLS.items()),
        ("p50, p99", f"{', '.join(taken)}"),
        ("the longest", f"{said['longest']:.2f} s; the late canary waits for 0.4 s"),
        ("changes of the live release", swaps),
        ("a canary that came beside it, or went", f"{said['shares']}"),
        ("bad canaries, all taken out", f"{len(said['canaries'])}: {bad}"),
        ("from their command to the end of their rollout", f"{slowest:.1f} s at the most"),
        ("workers killed", f"{said['killed']}"),
        ("wrong answers", f"{said['wrong']}"),
        ("connections refused", f"{said['refused']}"),
        ("requests in flight in a killed worker", f"{said['in_flight']}"),
        ("requests that the failing canary failed", f"{said['canary_faults']}"),
        ("captured, each once", f"{said['captured']:,}"),
        ("answered and not captured", f"{said['missing']:,}; counted lost: {said['lost']:,}"),
    ]
    names = {"elder": "the worker that lived", "supervisor": "the process that watches"}
    for name, (first, last) in said["memory"].items():
        what = f"memory of {names[name]}, first and last third"
        rows.append((what, f"{first:.0f} MB, {last:.0f} MB"))
    counts = said["connections"]
    return _TEXT.format(
        connections=sum(counts.values()),
        protocols=", ".join(f"{counts[name]} over {words}" for name, words in _PROTOCOLS.items()),
        kill_seconds=said["kill_seconds"],
        rows="\n".join(f"| {what} | {found} |" for what, found in rows),
        day=said["at"][:10],
        machine=said["machine"],
        load=said["load"],
        versions=", ".join(f"{name} {text}" for name, text in said["versions"].items()),
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(orjson.loads(RESULT.read_bytes())), encoding="utf-8")
    print(f"The last load is in {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
