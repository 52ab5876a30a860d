"""An MLServer of our own: started, watched, started again where it dies or hangs, ended with us.

MLServer ends with exit code 0 whatever went wrong, and it may be alive and not answer: whether it
is there is judged by its answers, and that it is ours and not another one by its name.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO

import attrs

from interlock_deploy_seldon.mlserver.api import Api
from interlock_deploy_seldon.mlserver.repository import is_changing
from interlock_hookspecs import InvalidInput, Unavailable

_KEEPER = Path(__file__).with_name("keeper.py")
_DELAYS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_YOUNG_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_TRIES = 3
_TAKEN = "address already in use"
_END_SECONDS = 20.0
_WHERE = "mlserver.json"
_GROUP = "mlserver.group"
_PREFIX = 120
"""Characters of a line of MLServer's in which its level is."""
_INHERITED = (
    "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH",
    "TMPDIR", "TZ",
)  # fmt: skip
REPOSITORY = "models"
"""The folder of the models, within that of the process."""


def executable(setting: str, root: Path) -> str:
    """The MLServer that a setting names: a command on PATH, or a path from the project's folder.

    Raises:
        InvalidInput: there is none.
    """
    path = root / setting
    found = shutil.which(setting if os.sep not in setting else str(path))
    if found is None:
        where = "on PATH" if os.sep not in setting else f"at {path}"
        raise InvalidInput(
            f"there is no MLServer {where}: install mlserver with mlserver-sklearn or onnxruntime "
            'in an environment of its own, and say mlserver = ".../bin/mlserver"'
        )
    return found


def where(home: Path) -> str:
    """The URL of the MLServer of a folder, as it listens now.

    Raises:
        Unavailable: it does not listen.
    """
    try:
        said: dict[str, str] = json.loads((home / _WHERE).read_bytes())
    except FileNotFoundError:
        raise Unavailable("MLServer is being started") from None
    return said["url"]


@attrs.frozen(kw_only=True)
class Patience:
    """How many seconds an MLServer may say nothing.

    Attributes:
        start: until it answers at first.
        silent: later; while a model is at work it may answer nobody else.
        load: so much longer while it loads a model or unloads one.
    """

    start: float
    silent: float
    load: float


class OwnServer:
    """An MLServer that lives as long as this process.

    Args:
        command: its executable.
        home: a private folder, where its settings and models are.
        parallel_workers: of MLServer; 0 for none.
        python_path: folders in which its Python finds modules.
        inherit: names of further variables of our environment that it gets.
        patience: how long it may say nothing.
        log: told what it says.
    """

    def __init__(
        self,
        command: str,
        home: Path,
        *,
        parallel_workers: int,
        python_path: tuple[Path, ...],
        inherit: tuple[str, ...] = (),
        patience: Patience,
        log: logging.Logger,
    ) -> None:
        self._command = command
        self._home = home
        self._parallel_workers = parallel_workers
        self._python_path = python_path
        self._inherit = inherit
        self._patience = patience
        self._log = log
        self._url = self._name = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._last: deque[str] = deque(maxlen=50)
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._keep, name="mlserver", daemon=True)
        (home / REPOSITORY).mkdir(mode=0o700, exist_ok=True)

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            Unavailable: it ended, or does not answer in time; with the last that it said.
        """
        try:
            self._launch()
        except BaseException:
            self.close()
            raise
        self._watch.start()

    def close(self) -> None:
        """End it. Whoever asks it must be done."""
        self._closing.set()
        process = self._process
        if process is None:
            return
        _end(process)
        if self._watch.is_alive():
            self._watch.join(_END_SECONDS)

    def _launch(self) -> None:
        """Start one, on another port where somebody has taken that meanwhile.

        Raises:
            Unavailable: it ended, or does not answer in time.
        """
        for left in reversed(range(_TRIES)):
            try:
                self._launch_once()
            except _PortTaken:
                if not left:
                    raise
            else:
                return

    def _launch_once(self) -> None:
        self._name = name = f"interlock-{secrets.token_hex(8)}"
        self._url = url = self._write_settings(name)
        self._last.clear()
        self._process = process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(_KEEPER), str(self._home / _GROUP)),
                *(self._command, "start", str(self._home)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in a terminal is for us: it is ended when the last request is answered.
            start_new_session=True,
            cwd=self._home,
            env=self._environment(),
        )
        hearing = threading.Thread(target=self._hear, args=(process.stdout,), daemon=True)
        hearing.start()
        try:
            self._until_it_answers(process, url, name)
        except Unavailable as error:
            # All that it said is told when it has ended.
            _end(process)
            hearing.join(_END_SECONDS)
            if self._port_is_taken():
                raise _PortTaken(str(error)) from error
            raise
        temporary = self._home / f"{_WHERE}.tmp"
        temporary.write_text(json.dumps({"url": url}), encoding="utf-8")
        temporary.replace(self._home / _WHERE)

    def _until_it_answers(self, process: subprocess.Popen[bytes], url: str, name: str) -> None:
        deadline = time.monotonic() + self._patience.start
        with contextlib.closing(Api(lambda: url, _POLL_SECONDS, _POLL_SECONDS)) as api:
            while not self._closing.wait(_POLL_SECONDS):
                if process.poll() is not None:
                    raise Unavailable(
                        f"MLServer ended with exit code {process.returncode} before it answered: "
                        f"{self._said()}"
                    )
                with contextlib.suppress(Unavailable):
                    if api.name() == name:
                        return
                # Without its port it lives on, and answers nobody.
                if self._port_is_taken() or time.monotonic() > deadline:
                    raise Unavailable(
                        f"MLServer did not answer within {self._patience.start:g} s: {self._said()}"
                    )

    def _keep(self) -> None:
        """Start it again where it dies or hangs, until it is closed."""
        deaths, began = 0, time.monotonic()
        while (process := self._process) is not None:
            code = self._until_it_ends(process)
            _end(process)
            if code < 0:
                self._end_group()
            (self._home / _WHERE).unlink(missing_ok=True)
            if self._closing.is_set():
                return
            deaths = deaths + 1 if time.monotonic() - began < _YOUNG_SECONDS else 0
            delay = _DELAYS[min(deaths, len(_DELAYS) - 1)]
            self._log.warning("MLServer ended with code %s: the next starts in %g s", code, delay)
            if self._closing.wait(delay):
                return
            began = time.monotonic()
            try:
                self._launch()
            except (Unavailable, OSError) as error:
                self._log.error("%s", error)

    def _until_it_ends(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code of it. One that answers nobody is killed: it hears nothing else."""
        heard = time.monotonic()
        with contextlib.closing(Api(lambda: self._url, 0.0, 0.0)) as api:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(_LOOK_SECONDS)
                changing = is_changing(self._home / REPOSITORY)
                with contextlib.suppress(Unavailable):
                    if api.name() == self._name:
                        heard = time.monotonic()
                changing = changing or is_changing(self._home / REPOSITORY)
                patience = self._patience.silent + (self._patience.load if changing else 0.0)
                silent = time.monotonic() - heard
                if silent > patience and not self._closing.is_set():
                    self._log.warning("MLServer did not answer for %.0f s and is killed", silent)
                    self._end_group()
                    heard = time.monotonic()

    def _end_group(self) -> None:
        """Kill MLServer with its workers; or these, where it died with its keeper."""
        with contextlib.suppress(OSError, ValueError):
            os.killpg(int((self._home / _GROUP).read_text(encoding="ascii")), signal.SIGKILL)

    def _write_settings(self, name: str) -> str:
        http_port = _free_port()
        settings = {
            "server_name": name,
            "debug": False,
            "host": "127.0.0.1",
            "http_port": http_port,
            # Nobody asks it by gRPC, and it would end without that port after it answered by HTTP:
            # any that is free as it binds.
            "grpc_port": 0,
            # Ours are the metrics of what clients see.
            "metrics_endpoint": None,
            "metrics_dir": str(self._home / "metrics"),
            "environments_dir": str(self._home / "environments"),
            "parallel_workers": self._parallel_workers,
            "model_repository_root": str(self._home / REPOSITORY),
            # One model that does not load would end it.
            "load_models_at_startup": False,
            "cache_enabled": False,
            "gzip_enabled": False,
        }
        (self._home / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
        return f"http://127.0.0.1:{http_port}"

    def _environment(self) -> dict[str, str]:
        """Little of ours: no secret that is not named, and nothing meant for our Python."""
        named = (*_INHERITED, *self._inherit)
        kept = {name: os.environ[name] for name in named if name in os.environ}
        path = os.pathsep.join(map(str, self._python_path))
        # MLflow's runtime would tell its makers of its use.
        fixed = {"PYTHONUNBUFFERED": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        return {**fixed, **kept, **({"PYTHONPATH": path} if path else {})}

    def _hear(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                self._last.append(text)
                # What is no information is a fault, or a traceback's line.
                level = logging.INFO if "INFO" in text[:_PREFIX] else logging.WARNING
                self._log.log(level, "mlserver: %s", text)

    def _port_is_taken(self) -> bool:
        return any(_TAKEN in line.lower() for line in self._last.copy())

    def _said(self) -> str:
        """The line that tells most of what it said last."""
        lines = [line.strip() for line in self._last if line.strip()]
        errors = [line for line in lines if "Error" in line]
        return (errors or lines or ["it said nothing"])[-1]


class _PortTaken(Unavailable):
    """Between its choice and its use somebody took the port."""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the keeper, which ends all that it keeps."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    """A port that nobody has, as of now: another may take it first, and is told by its name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
