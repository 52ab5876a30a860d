"""Interleaved pairs of two ways to do one thing, the ratio of their medians, and their bound."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import attrs
import orjson

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "contrib" / "examples" / "employment"
RESULTS = ROOT / "build" / "benchmarks"
_PACKAGES = ("click", "numpy", "orjson", "pyarrow", "scikit-learn", "skops", "sqlalchemy")


@attrs.frozen
class Cost:
    """What one run took.

    Attributes:
        wall, cpu: seconds, and seconds of the processor.
        memory: bytes of the process that held most; 0 where that was not looked at.
    """

    wall: float
    cpu: float
    memory: float = 0.0


@attrs.frozen(kw_only=True)
class Result:
    """What was measured, beside its bound.

    Attributes:
        name: what.
        value, unit: the number that is held against the bound.
        bound: the most that it may be, or the least where ``least`` is set; None: it is told only.
        medians: what the value was made of, for a person.
    """

    name: str
    value: float
    unit: str
    bound: float | None
    least: bool = False
    medians: str = ""

    @property
    def held(self) -> bool:
        """Whether it is within its bound, if it has one."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.least else self.value <= self.bound


def child_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a timed process: bytecode is written, so that imports are as users have.

    Args:
        more: variables that this measurement sets for both sides.
    """
    environ = {**os.environ, **(more or {})}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def copy_example(folder: Path) -> None:
    """Copy the example as its repository has it: without what a run left there."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))


def run_process(
    command: Sequence[str], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end and give what it cost, children included."""
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=child_environment(environ), stdout=said, stderr=subprocess.STDOUT, cwd=cwd
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024.0)


def timed(call: Callable[[], object]) -> Cost:
    """Call something once and give what it cost in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def interleaved(
    ours: Callable[[], Cost], theirs: Callable[[], Cost], *, pairs: int
) -> tuple[Cost, Cost]:
    """The medians of both after a pair to warm up, run in turn."""
    found = in_turn({"ours": ours, "theirs": theirs}, rounds=pairs)
    return found["ours"], found["theirs"]


def in_turn(calls: Mapping[str, Callable[[], Cost]], *, rounds: int) -> dict[str, Cost]:
    """The medians of each after a round to warm up, run in turn."""
    found: dict[str, list[Cost]] = {name: [] for name in calls}
    for round_ in range(1 + rounds):
        for name, call in calls.items():
            cost = call()
            if round_:
                found[name].append(cost)
    return {name: _median(costs) for name, costs in found.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.memory for cost in costs),
    )


def finish(*results: Result, versions: Mapping[str, str] | None = None) -> None:
    """Print what was measured, keep it for the table, and end: non-zero where a bound is missed.

    Args:
        results: in the table's order.
        versions: of what else was measured, by its name, for the table.
    """
    script = Path(sys.argv[0]).stem
    report = {
        "script": script,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), **_versions(), **(versions or {})},
        "results": [{**attrs.asdict(result), "held": result.held} for result in results],
    }
    print(f"{report['machine']}, load {report['load']}")
    print(", ".join(f"{name} {version}" for name, version in report["versions"].items()))
    for result in results:
        side = "at least" if result.least else "at most"
        verdict = "ok" if result.held else "MISSED"
        held = "" if result.bound is None else f"{side} {result.bound:g} {verdict:<6} "
        print(f"{result.name:<58} {result.value:8.3f} {result.unit:<3} {held}{result.medians}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{script}.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    sys.exit(0 if all(result.held for result in results) else 1)


def _machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    except OSError:
        pass  # not Linux: the short name has to do
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} x {model}"


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}
