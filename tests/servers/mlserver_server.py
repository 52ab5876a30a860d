"""An MLServer for tests: a real one, in an environment without Interlock.

`make test` makes the environment from wheels. A test starts its own, or joins one that a module
shares.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from ports import free_ports

BIN = Path(__file__).parents[2] / "build" / "mlserver-venv" / "bin"
PATIENCE = 120  # seconds: the first start on a busy machine


@attrs.frozen(kw_only=True)
class JoinedServer:
    """An MLServer that somebody else runs.

    Attributes:
        url: its address.
        repository: the folder of its models.
        modules: a folder where its Python finds modules.
    """

    url: str
    repository: Path
    modules: Path

    def models(self) -> set[str]:
        """The models that it has loaded."""
        asked = urllib.request.Request(f"{self.url}/v2/repository/index", b"{}", method="POST")
        asked.add_header("content-type", "application/json")
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return {one["name"] for one in json.loads(answer.read()) if one["state"] == "READY"}


@pytest.fixture(scope="session")
def mlserver_command() -> Path:
    """The command of the real MLServer."""
    return BIN / "mlserver"


@pytest.fixture(scope="module")
def joined_mlserver(
    tmp_path_factory: pytest.TempPathFactory, mlserver_command: Path
) -> Iterator[JoinedServer]:
    """An MLServer that a module's tests share, started by none of our code."""
    home = tmp_path_factory.mktemp("mlserver")
    ports = free_ports(2)
    server = JoinedServer(
        url=f"http://127.0.0.1:{ports[0]}", repository=home / "models", modules=home / "modules"
    )
    server.repository.mkdir()
    server.modules.mkdir()
    settings = {
        "debug": False, "host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1],
        "metrics_endpoint": None, "parallel_workers": 0, "load_models_at_startup": False,
        "model_repository_root": str(server.repository),
    }  # fmt: skip
    (home / "settings.json").write_text(json.dumps(settings))
    # Its bytecode is written by its first start, whatever we are told about ours.
    ours = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [mlserver_command, "start", home],
            cwd=home,
            env={
                **environ,
                "PYTHONPATH": str(server.modules),
                "MLFLOW_DISABLE_TELEMETRY": "true",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((home / "log").read_text())
            with contextlib.suppress(OSError):
                server.models()
                break
            time.sleep(0.05)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
