"""``interlock run`` with track-mlflow, against the same script calling MLflow directly.

Both tell a real server on loopback, of MLflow's own environment. The work is that of bench_run.py,
and both sides run where MLflow's light client is installed, with one OpenMP thread.
"""

import json
import math
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from timing import ROOT, Result, child_environment, copy_example, finish, interleaved, run_process

PAIRS = 7
BOUND = 1.3
PATIENCE = 120  # seconds until the server answers
ENVIRON = {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
MLFLOW = ROOT / "build" / "mlflow-venv" / "bin" / "python"
STACK = """
[stack.tracked]
extends = "dev"
track = ["mlflow"]

[stack.tracked.track-mlflow]
uri = "URI"
"""


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """An MLflow server's address, for as long as it is needed."""
    if not MLFLOW.is_file():
        sys.exit("MLflow's environment is missing: make bench-track makes it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    words += ["--artifacts-destination", str(folder / "files")]
    with (folder / "server.log").open("w") as log:
        started = subprocess.Popen(
            [str(MLFLOW), "-m", "mlflow", *words],
            cwd=folder,
            env=child_environment({**ENVIRON, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(uri, started, folder / "server.log")
        yield uri
    finally:
        # Its workers are of its session: they end when it ends in order.
        started.terminate()
        started.wait()


def wait_until_it_answers(uri: str, started: subprocess.Popen[bytes], log: Path) -> None:
    """End where it does not."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and started.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"the MLflow server did not start:\n{log.read_text()[-2000:]}")


def told(uri: str, experiment: str) -> dict[str, Any]:
    """What the server knows of the last run of an experiment."""
    name = urllib.parse.quote(experiment)
    api = f"{uri}/api/2.0/mlflow"
    with urllib.request.urlopen(f"{api}/experiments/get-by-name?experiment_name={name}") as answer:
        identifier = json.load(answer)["experiment"]["experiment_id"]
    asked = json.dumps({"experiment_ids": [identifier], "max_results": 1}).encode()
    request = urllib.request.Request(
        f"{api}/runs/search", asked, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        run: dict[str, Any] = json.load(answer)["runs"][0]
    return run


def refuse_less(uri: str) -> None:
    """End where the server was not told by us what the script told it, and as much.

    The script names an estimator's defaults among its parameters; a run, what the stack file says.
    """
    ours, theirs = told(uri, "employment"), told(uri, "employment-by-hand")
    for part in ("metrics", "tags"):
        counts = [len(run["data"][part]) for run in (ours, theirs)]
        if counts[0] < counts[1]:
            sys.exit(f"MLflow has {counts[0]} {part} of ours, {counts[1]} of the script's")
    said = ours["data"]["params"], ours["inputs"]["dataset_inputs"]
    if ours["info"]["status"] != "FINISHED" or not all(said):
        sys.exit("MLflow was not told of our run's parameters, its data and its end")
    values = {metric["key"]: metric["value"] for metric in ours["data"]["metrics"]}
    for metric in theirs["data"]["metrics"]:
        if not math.isclose(values[f"metrics.{metric['key']}"], metric["value"], rel_tol=1e-9):
            sys.exit(f"{metric['key']} differs between the two")


def main() -> None:
    """Measure whole processes on a copy of the example."""
    command = str(Path(sys.executable).with_name("interlock"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "employment")
        copy_example(folder)
        with server(Path(scratch)) as uri:
            with (folder / "interlock.toml").open("a") as file:
                file.write(STACK.replace("URI", uri))
            script = str(Path(__file__).with_name("tracked_run.py"))
            direct = [sys.executable, script, str(Path(scratch, "model.skops")), uri]
            run = [command, "run", "--stack", "tracked", "--until", "register", "--again"]
            ours, theirs = interleaved(
                lambda: run_process(run, cwd=folder, environ=ENVIRON),
                lambda: run_process(direct, cwd=folder, environ=ENVIRON),
                pairs=PAIRS,
            )
            refuse_less(uri)
    finish(
        Result(
            name="interlock run with track-mlflow against a script that calls MLflow",
            value=ours.wall / theirs.wall,
            unit="x",
            bound=BOUND,
            medians=f"{ours.wall:.2f} s, {theirs.wall:.2f} s; "
            f"of the processor {ours.cpu:.2f} s, {theirs.cpu:.2f} s",
        )
    )


if __name__ == "__main__":
    main()
