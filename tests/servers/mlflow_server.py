"""An MLflow server of the tests' own: the full package, in an environment without Interlock.

`make test` makes the environment from wheels. One server is started for a whole test run, by
whichever worker needs it first, and ended by the last one that used it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from ports import free_port

VENV = Path(__file__).parents[2] / "build" / "mlflow-venv"
PATIENCE = 120  # seconds: the first start on a busy machine


@attrs.frozen(kw_only=True)
class MlflowServer:
    """A server that answers.

    Attributes:
        url: its address.
        folder: where its database and its files are.
        python: the interpreter of its environment, which has no Interlock.
        pid: the leader of its processes.
    """

    url: str
    folder: Path
    python: Path
    pid: int

    def stop(self) -> None:
        """End it at once, and its workers with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def environment() -> dict[str, str]:
    """What every process of MLflow's is started with."""
    # Its bytecode is written by its first start, whatever we are told about ours.
    ours = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    inherited = {key: value for key, value in os.environ.items() if key not in ours}
    return {
        **inherited,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def start_mlflow(folder: Path, port: int | None = None) -> MlflowServer:
    """Start a server on a folder, new or left by an earlier one, and wait until it answers."""
    python = VENV / "bin" / "python"
    if not python.exists():
        pytest.fail(f"there is no MLflow in {VENV}: `make test` installs it")
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port or free_port()}"
    words = ["server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    words += ["--artifacts-destination", str(folder / "files")]
    # Started by a shell that is gone at once: whoever ends it need not be who started it.
    detached = ["sh", "-c", 'setsid "$@" >>server.log 2>&1 </dev/null & echo $!', "sh"]
    started = subprocess.run(
        [*detached, str(python), "-m", "mlflow", *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    server = MlflowServer(url=url, folder=folder, python=python, pid=int(started.stdout))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and Path(f"/proc/{server.pid}").exists():
        if _answers(url):
            _search(url)
            return server
        time.sleep(0.2)
    server.stop()
    tail = (folder / "server.log").read_text(errors="replace")[-2000:]
    pytest.fail(f"the MLflow server did not start:\n{tail}")


def _search(url: str) -> None:
    """Ask for runs once, alone: MLflow imports a part of itself for the first search.

    Two that come at once meet half of it, and the server answers 500: no fault of who asks.
    """
    asked = urllib.request.Request(
        f"{url}/api/2.0/mlflow/runs/search",
        json.dumps({"experiment_ids": ["0"], "max_results": 1}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=PATIENCE):
        pass


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """The test run's MLflow server."""
    shared = _shared(tmp_path_factory)
    state = shared / "mlflow-server.json"
    with _held(state):
        known = json.loads(state.read_text()) if state.exists() else {"users": 0}
        if not known["users"]:
            server = start_mlflow(shared / f"mlflow-{time.monotonic_ns()}")
            known = {"url": server.url, "folder": str(server.folder), "pid": server.pid}
        users = known.get("users", 0) + 1
        state.write_text(json.dumps({**known, "users": users}))
    yield MlflowServer(
        url=known["url"],
        folder=Path(known["folder"]),
        python=VENV / "bin" / "python",
        pid=known["pid"],
    )
    with _held(state):
        known = json.loads(state.read_text())
        state.write_text(json.dumps({**known, "users": known["users"] - 1}))
        if known["users"] == 1:
            os.killpg(known["pid"], signal.SIGKILL)


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with MLflow's tables, which take seconds to make, and nothing in them."""
    made = _shared(tmp_path_factory) / "mlflow-empty.db"
    with _held(made):
        if not made.exists():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of MLflow's own queries
                store = SqlAlchemyStore(f"sqlite:///{made}", str(made.parent))
            store.engine.dispose()
    return made


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a test run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextlib.contextmanager
def _held(state: Path) -> Iterator[None]:
    with state.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
