"""From the start of an endpoint's server to its readiness, against importing what it stands on.

The server is started as the core starts it, from a ledger with a released ONNX model, and asked
until it says that it is ready. The other side is ``python -c "import onnxruntime, uvicorn"``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
from timing import Cost, Result, child_environment, copy_example, finish, run_process

from interlock.processes import ProcessIdentity, is_alive
from interlock.serving import process
from interlock.session import Session
from interlock.stack import load_stack

PAIRS = 15
BOUND = 1.5
BASELINE = (sys.executable, "-c", "import onnxruntime, uvicorn")
ENVIRON = {"OMP_NUM_THREADS": "1"}
START_SECONDS = 120.0
STACK = "interlock.toml"


@attrs.frozen
class Endpoint:
    """A deployment that nobody serves yet.

    Attributes:
        command: what the core starts its server with.
        folder: where.
        said: the file in which the server says where it listens.
        request: a request for a prediction.
    """

    command: tuple[str, ...]
    folder: Path
    said: Path
    request: bytes


def prepared(folder: Path) -> Endpoint:
    """The example, its model released as ONNX and deployed, its server ended again."""
    copy_example(folder)
    stack = folder / STACK
    text = stack.read_text(encoding="utf-8")
    stack.write_text(text.replace('deploy = "local"', 'deploy = "local"\npackage = "onnx"', 1))
    interlock = str(Path(sys.executable).with_name("interlock"))
    _typed([interlock, "run", "--until", "register"], folder, "ana")
    session = Session(load_stack(folder))
    (run,) = session.ledger.reads.runs()
    reason = "the same model as in the example"
    resumed = [interlock, "run", "--resume", run["id"], "--until"]
    _typed([*resumed, "review"], folder, "ana", waits=True)
    _typed([interlock, "approve", run["id"], "--reason", reason], folder, "ben")
    _typed([*resumed, "deploy"], folder, "ana")
    (deployed,) = session.ledger.reads.deployments()
    _end(deployed["body"]["facts"])
    session.ledger.close()
    (target,) = deployed["targets"]
    if target["model"]["format"] != "onnx":
        sys.exit(f"what is served is no ONNX model, but {target['model']['format']}")
    return Endpoint(
        command=process.command(session, deployed["id"]),
        folder=folder,
        said=process.folder(session) / f"{deployed['id']}.json",
        request=_request(target["model"]["signature"]["inputs"]),
    )


def _typed(command: Sequence[str], folder: Path, actor: str, *, waits: bool = False) -> None:
    environ = child_environment({**ENVIRON, "INTERLOCK_ACTOR": actor})
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != (4 if waits else 0):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _end(facts: dict[str, str | int]) -> None:
    about = {name: facts[name] for name in ("host", "pid", "started", "boot")}
    server = ProcessIdentity(**about)  # type: ignore[arg-type]  # as they were recorded
    os.kill(server.pid, signal.SIGTERM)
    while is_alive(server):
        time.sleep(0.05)


def _request(inputs: Sequence[dict[str, str]]) -> bytes:
    values = {"double": ("FP64", 41.0), "string": ("BYTES", "1"), "int64": ("INT64", 1)}
    tensors = []
    for field in inputs:
        datatype, value = values[field["type"]]
        tensors.append({"name": field["name"], "datatype": datatype, "shape": [1], "data": [value]})
    return json.dumps({"inputs": tensors}).encode()


@attrs.frozen
class Start:
    """What one start took: until readiness, and on the wall until the first prediction."""

    ready: Cost
    answered: float


def started(endpoint: Endpoint) -> Start:
    """Start the server, ask it until it is ready, then for a prediction, and end it."""
    endpoint.said.unlink(missing_ok=True)
    log = endpoint.said.with_suffix(".bench")
    begun = time.perf_counter()
    with log.open("wb") as output:
        server = subprocess.Popen(
            endpoint.command,
            cwd=endpoint.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=child_environment(ENVIRON),
        )
    try:
        connection = http.client.HTTPConnection("127.0.0.1", _port(server, endpoint, log))
        with contextlib.closing(connection):
            while _asked(connection, "GET", "/v2/health/ready") != http.client.OK:
                _refuse_late(server, begun, log)
            # The clock of another process on Linux: see clock_getcpuclockid(3).
            ready = Cost(time.perf_counter() - begun, time.clock_gettime(~server.pid << 3 | 2))
            path = "/v2/models/employment/infer"
            if (status := _asked(connection, "POST", path, endpoint.request)) != http.client.OK:
                sys.exit(f"the server answers {status} to a request for a prediction")
            return Start(ready, time.perf_counter() - begun)
    finally:
        server.kill()
        server.wait()


def _port(server: subprocess.Popen[bytes], endpoint: Endpoint, log: Path) -> int:
    begun = time.perf_counter()
    while not endpoint.said.exists():
        _refuse_late(server, begun, log)
        time.sleep(0.001)
    address: str = json.loads(endpoint.said.read_bytes())["address"]
    return int(address.rpartition(":")[2])


def _asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> int:
    connection.request(method, path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _refuse_late(server: subprocess.Popen[bytes], begun: float, log: Path) -> None:
    if server.poll() is not None or time.perf_counter() - begun > START_SECONDS:
        sys.exit(f"the server did not come up:\n{log.read_text(encoding='utf-8')[-2000:]}")


def main() -> None:
    """Measure both sides in turn, and hold the ratios to the bound."""
    with tempfile.TemporaryDirectory() as scratch:
        endpoint = prepared(Path(scratch, "employment"))
        ours, theirs = [], []
        for turn in range(1 + PAIRS):
            pair = started(endpoint), run_process(BASELINE, environ=ENVIRON)
            if turn:  # the first warms up
                ours.append(pair[0])
                theirs.append(pair[1])
    results = []
    for what in ("wall", "cpu"):
        mine = [getattr(each.ready, what) for each in ours]
        other = [getattr(each, what) for each in theirs]
        results.append(
            Result(
                name=f"cold start to ready against importing onnxruntime and uvicorn, {what}",
                value=statistics.median(mine) / statistics.median(other),
                unit="x",
                bound=BOUND,
                medians=_told(mine, other),
            )
        )
    answered = statistics.median(each.answered for each in ours)
    results.append(
        Result(
            name="cold start to the first prediction, wall",
            value=answered * 1e3,
            unit="ms",
            bound=None,
        )
    )
    finish(*results)


def _told(mine: Sequence[float], other: Sequence[float]) -> str:
    ours, theirs = statistics.median(mine) * 1e3, statistics.median(other) * 1e3
    return f"{ours:.0f} ms, {theirs:.0f} ms"


if __name__ == "__main__":
    main()
