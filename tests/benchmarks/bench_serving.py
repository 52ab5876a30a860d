"""deploy-local with real models, against the floor: raw ASGI on uvicorn, orjson, a null model.

All are asked by one client on one machine, in turn. A request is one tensor of all features in
JSON, or named columns; ours checks every value and captures every answer, the floor reads the JSON
and answers a constant. The peers serve the same logistic regression from an environment of theirs,
as scikit-learn fitted it, each in one process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
from serving_client import Load, ask
from serving_requests import BODIES, http
from timing import ROOT, Result, child_environment, finish, run_process

HERE = Path(__file__).parent
BINARIES = ROOT / "build" / "peers" / "bin"
PEERS = ("mlserver", "mlflow", "fastapi")
MLFLOW = ("--env-manager", "local", "--host", "127.0.0.1", "--port")
START_SECONDS = 180.0
ROUNDS = 7
SECONDS = 0.4
SHAPES = tuple((rows, connections) for rows in (1, 100) for connections in (1, 16, 64))


@attrs.frozen(kw_only=True)
class Arm:
    """A server, and how it is asked.

    Attributes:
        server: the arguments of ``serving_servers.py``, or a word of `PEERS`; two arms of the same
            share a process.
        body: a word of `serving_requests.BODIES`.
        shapes: numbers of rows and connections.
    """

    server: tuple[str, ...]
    body: str = "tensor"
    shapes: tuple[tuple[int, int], ...] = SHAPES


FEW = ((1, 16), (100, 16))
ARMS = {
    "floor": Arm(server=("floor",)),
    "logistic": Arm(server=("logistic", "on")),
    "boosting": Arm(server=("boosting", "on")),
    "logistic without capture": Arm(server=("logistic", "off"), shapes=FEW),
    "logistic, binary": Arm(server=("logistic", "on"), body="binary", shapes=FEW),
    "forest": Arm(server=("forest", "on"), shapes=FEW),
    "MLServer": Arm(server=("mlserver",)),
    "mlflow models serve": Arm(server=("mlflow",), body="mlflow"),
    "FastAPI by hand": Arm(server=("fastapi",), body="plain"),
    "floor, named": Arm(server=("floor",), body="named", shapes=FEW),
    "logistic, named": Arm(server=("logistic", "on"), body="named", shapes=FEW),
}
BOUNDS = (
    ("logistic", "floor", 1, 0.7),
    ("forest", "floor", 1, None),
    ("boosting", "floor", 1, 0.5),
    ("logistic, named", "floor, named", 1, None),
    ("logistic", "logistic without capture", 1, 0.9),
    ("logistic, binary", "logistic", 100, 3.0),
    ("logistic", "MLServer", 1, 10.0),
    ("logistic", "mlflow models serve", 1, 20.0),
    ("logistic", "FastAPI by hand", 1, None),
)
"""An arm, another, rows, and what the first one's rate is at least, by the other's, at c = 16."""

Found = dict[tuple[str, int, int], list[Load]]


class Server:
    """A server of ours, or the floor, in a process of its own."""

    def __init__(self, arguments: tuple[str, ...], folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "serving_servers.py"), *arguments, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment({"OMP_NUM_THREADS": "1"}),
        )
        self.pid = self._process.pid
        self.port = 0

    def wait(self) -> None:
        """Wait until it takes connections."""
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said:
            sys.exit(f"a server ended with {self._process.wait()}")
        self.port = int(said)

    def close(self) -> None:
        """End it, and wait for that."""
        self._process.communicate()


class Peer:
    """A server of others, in a process of its own and an environment of theirs."""

    def __init__(self, word: str, folder: Path, port: int) -> None:
        self.port = port
        script, python = HERE / "serving_peers.py", BINARIES / "python"
        run_process([str(python), str(script), "prepare", str(folder), str(port)])
        where, command = {
            "mlserver": ("mlserver", ["mlserver", "start", "."]),
            "mlflow": (".", ["mlflow", "models", "serve", "-m", "mlflow", *MLFLOW, str(port)]),
            "fastapi": (".", ["python", str(script), "fastapi", ".", str(port)]),
        }[word]
        path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(BINARIES / command[0]), *command[1:]],
                cwd=folder / where,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=child_environment(
                    {"OMP_NUM_THREADS": "1", "MLFLOW_ENABLE_TELEMETRY": "false", "PATH": path}
                ),
            )
        self.pid = self._process.pid

    def wait(self) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.2)
        self.close()
        sys.exit(f"{self._process.args!r} does not listen:\n{self._log.read_text()[-2000:]}")

    def close(self) -> None:
        """End it with its children, and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def free_ports() -> int:
    """A port that is free, and so are the two after it: as far as can be known beforehand."""
    while True:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port: int = first.getsockname()[1]
            for more in (1, 2):
                held.enter_context(socket.create_server(("127.0.0.1", port + more)))
            return port


def started(arguments: tuple[str, ...], folder: Path) -> Server | Peer:
    """A server that is on its way."""
    if arguments[0] in PEERS:
        return Peer(arguments[0], folder, free_ports())
    return Server(arguments, folder)


def measure(servers: Mapping[tuple[str, ...], Server | Peer]) -> Found:
    """What each arm did, in turn, for each number of rows and of connections."""
    found: Found = {}
    for shape in SHAPES:
        rows, connections = shape
        arms = {name: arm for name, arm in ARMS.items() if shape in arm.shapes}
        for turn in range(1 + ROUNDS):
            for name, arm in arms.items():
                server = servers[arm.server]
                load = ask(
                    server.port,
                    server.pid,
                    http(*BODIES[arm.body](rows)),
                    connections=connections,
                    seconds=SECONDS,
                )
                if turn:  # the first warms up
                    found.setdefault((name, *shape), []).append(load)
    return found


def ratio(ours: list[Load], theirs: list[Load], what: str) -> float:
    """The median of the ratios of neighbours: what else the machine did met both."""
    return statistics.median(
        getattr(mine, what) / getattr(other, what) for mine, other in zip(ours, theirs, strict=True)
    )


def told(loads: list[Load]) -> str:
    """The medians, for a person."""
    p50, p99, cpu = (
        statistics.median(getattr(load, what) for load in loads) for what in ("p50", "p99", "cpu")
    )
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {cpu:,.0f} us CPU"


def results(found: Found) -> list[Result]:
    """What is held against bounds, then each cell of the table."""
    made = []
    for name, other, rows, bound in BOUNDS:
        ours, theirs = found[name, rows, 16], found[other, rows, 16]
        made.append(
            Result(
                name=f"served, {rows} row{'s' * (rows > 1)}, c = 16: {name} by {other}",
                value=ratio(ours, theirs, "rate"),
                unit="x",
                bound=bound,
                least=True,
                medians=f"{ratio(theirs, ours, 'cpu'):.2f} x by CPU",
            )
        )
    for name, arm in ARMS.items():
        for rows, connections in arm.shapes:
            loads = found[name, rows, connections]
            made.append(
                Result(
                    name=f"served, {rows} row{'s' * (rows > 1)}, c = {connections}: {name}",
                    value=statistics.median(load.rate for load in loads),
                    unit="/s",
                    bound=None,
                    medians=told(loads),
                )
            )
    return made


def main() -> None:
    """Start the servers, measure them in turn, and hold what was found against the bounds."""
    with tempfile.TemporaryDirectory() as folder:
        servers: dict[tuple[str, ...], Server | Peer] = {}
        try:
            for number, arguments in enumerate(dict.fromkeys(arm.server for arm in ARMS.values())):
                place = Path(folder) / str(number)
                place.mkdir()
                servers[arguments] = started(arguments, place)
            for server in servers.values():
                server.wait()
            found = measure(servers)
        finally:
            for server in servers.values():
                server.close()
    finish(*results(found))


if __name__ == "__main__":
    main()
