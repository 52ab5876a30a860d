"""What an environment of its own costs a plugin: a small call, and a table of a gigabyte.

The plugin runs in a worker with this interpreter. The other arm of the table moves the same bytes
through a file in the same memory, in writes of 1 MiB; in both the receiver maps what it got and
sums every value.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from timing import Result, finish

from interlock_hookspecs import Signature, Task, Window
from interlock_worker.parent import WorkerPlugin

CALLS = 10_000
COLUMNS = 10
BYTES = 1_000_000_000
CHUNK = 1 << 20
PAIRS = 7
SETTLE_SECONDS = 0.5
BOUND_MEDIAN_MS = 0.25
BOUND_P99_MS = 1.0
BOUND_RATIO = 0.7
PLUGIN = """
import pyarrow.compute as pc
from interlock_hookspecs import Check, Finding, hookimpl, plugin

@plugin(contract="1.0")
class Bench:
    '''Measures.'''

    @hookimpl
    def check_data(self, task):
        return [Check(name=f"check{n}", value=0.5, n=100, low=0.4, high=0.6) for n in range(3)]

    @hookimpl
    def measure_performance(self, window):
        total = sum(pc.sum(column).as_py() for column in window.rows.columns)
        n = window.rows.num_rows
        return [Finding(name="sum", status="ok", value=total, n=n, served=n, start=1, end=2)]
"""
RECEIVER = """
import mmap, os, socket, sys
import numpy as np

line = socket.socket(fileno=int(sys.argv[1]))
while True:
    said, given, _, _ = socket.recv_fds(line, 8, 1)
    if not said:
        break
    with mmap.mmap(given[0], int.from_bytes(said, "little"), prot=mmap.PROT_READ) as shared:
        values = np.frombuffer(shared)
        line.sendall(values.sum().tobytes())
        del values
    os.close(given[0])
"""


def environment(folder: Path) -> Path:
    """An environment that has this one's packages and the plugin; gives its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "bench_plugin.py").write_text(PLUGIN, encoding="utf-8")
    told = packages / "bench_plugin-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-plugin\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[interlock.validate]\nbench = bench_plugin:Bench\n")
    ours = next(place for place in sys.path if place.endswith("site-packages"))
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return folder / "bin" / "python"


def small_calls(plugin: Any) -> tuple[float, float]:
    """The median and the 99th percentile of a call with a task and three records back, in ms."""
    task = Task(dataset="rows", target="y", id="id", exclude=("a", "b"), sensitive=("SEX", "RAC1P"))
    for _ in range(500):
        plugin.check_data(task)
    times = []
    for _ in range(CALLS):
        started = time.perf_counter_ns()
        plugin.check_data(task)
        times.append((time.perf_counter_ns() - started) / 1e6)
    times.sort()
    return statistics.median(times), times[CALLS * 99 // 100]


def table() -> pa.Table:
    """A gigabyte of floats."""
    random = np.random.default_rng(0)
    rows = BYTES // 8 // COLUMNS
    return pa.table({f"x{n}": pa.array(random.random(rows)) for n in range(COLUMNS)})


class Plain:
    """The other arm: a process that maps a file that was written to it, and sums."""

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair()
        command = [sys.executable, "-c", RECEIVER, str(theirs.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()

    def send(self, rows: pa.Table) -> float:
        """Write every value in chunks, and wait for the sum."""
        descriptor = os.memfd_create("plain", os.MFD_CLOEXEC)
        for column in rows.columns:
            for chunk in column.chunks:
                view = memoryview(chunk.buffers()[1])
                for start in range(0, len(view), CHUNK):
                    os.write(descriptor, view[start : start + CHUNK])
        size = os.fstat(descriptor).st_size
        socket.send_fds(self.line, [size.to_bytes(8, "little")], [descriptor])
        os.close(descriptor)
        return float(np.frombuffer(self.line.recv(8))[0])

    def close(self) -> None:
        """End it."""
        self.line.close()
        self.process.wait()


def seconds(call: Callable[[], object]) -> float:
    """What a call takes; the memory that it leaves is given back before the next."""
    started = time.perf_counter()
    call()
    taken = time.perf_counter() - started
    time.sleep(SETTLE_SECONDS)
    return taken


def peak_mb(pid: int | str) -> float:
    """The most that a process had resident, shared memory included."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure both, and hold them against their bounds."""
    with tempfile.TemporaryDirectory() as folder:
        worker = WorkerPlugin("validate-bench", environment(Path(folder) / "venv"))
        plugin = worker.plugin_class()()
        median, p99 = small_calls(plugin)
        rows = table()
        expected = sum(pc.sum(column).as_py() for column in rows.columns)
        signature = Signature(kind="binary", inputs=(), outputs=())
        window = Window(rows=rows, start=1, end=2, as_of=2, release="r", signature=signature)
        plain = Plain()

        def check(found: float | None) -> None:
            if found is None or abs(found - expected) > 1:
                sys.exit(f"the sum is {found}, not {expected}")

        def ours() -> None:
            (finding,) = plugin.measure_performance(window)
            check(finding.value)

        def theirs() -> None:
            check(plain.send(rows))

        cold = seconds(ours), seconds(theirs)
        warm = [(seconds(ours), seconds(theirs)) for _ in range(PAIRS)]
        mine, other = (statistics.median(side) for side in zip(*warm, strict=True))
        peaks = peak_mb("self"), peak_mb(worker.pid or 0)
        plain.close()
        worker.close()
    gigabytes = rows.nbytes / 1e9
    finish(
        Result(
            name="a call into a worker and back, median of 10,000",
            value=median,
            unit="ms",
            bound=BOUND_MEDIAN_MS,
            medians="a task there, three records back",
        ),
        Result(
            name="a call into a worker and back, 99th percentile",
            value=p99,
            unit="ms",
            bound=BOUND_P99_MS,
        ),
        Result(
            name="a table of 1 GB to a worker, rate against a plain shared file",
            value=other / mine,
            unit="x",
            bound=BOUND_RATIO,
            least=True,
            medians=f"{gigabytes / mine:.2f} GB/s, {gigabytes / other:.2f} GB/s; first transfers "
            f"{cold[0]:.2f} s, {cold[1]:.2f} s; peak memory {peaks[0]:,.0f} MB here and "
            f"{peaks[1]:,.0f} MB there",
        ),
    )


if __name__ == "__main__":
    main()
