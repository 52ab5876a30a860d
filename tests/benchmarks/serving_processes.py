"""The servers that bench_serving.py measures, each in a process of its own: ours, and the peers."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
from serving_requests import BODIES
from timing import ROOT, child_environment, run_process

HERE = Path(__file__).parent
BUILD = ROOT / "build"
START_SECONDS = 180.0
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "MLFLOW_ENABLE_TELEMETRY": "false",
    "BENTOML_DO_NOT_TRACK": "True",
}


@attrs.frozen(kw_only=True)
class Peer:
    """A server of others, as its documentation starts it for one process of a CPU.

    Attributes:
        environment: the folder of `BUILD` that it is installed in.
        distributions: whose versions the table tells.
        body: how it is asked, a word of `serving_requests.BODIES`.
        command: what starts it in a folder with the fitted model; ``{port}`` stands for its port,
            ``{here}`` for the folder of this file. The first word is a program of its environment.
        folder: where in that folder.
    """

    environment: str
    distributions: tuple[str, ...]
    body: str
    command: str
    folder: str = "."


PEERS: Mapping[str, Peer] = {
    "mlserver": Peer(
        environment="peers",
        distributions=("mlserver", "mlserver-sklearn"),
        body="tensor",
        command="mlserver start .",
        folder="mlserver",
    ),
    "mlflow": Peer(
        environment="peers",
        distributions=("mlflow",),
        body="mlflow",
        command="mlflow models serve -m mlflow --env-manager local --host 127.0.0.1 --port {port}",
    ),
    "fastapi": Peer(
        environment="peers",
        distributions=("fastapi",),
        body="plain",
        command="python {here}/serving_peers.py fastapi . {port}",
    ),
    "bentoml": Peer(
        environment="peers-kserve",
        distributions=("bentoml",),
        body="bentoml",
        command="bentoml serve serving_bentoml:Bench --host 127.0.0.1 --port {port}",
    ),
    "litserve": Peer(
        environment="peers-kserve",
        distributions=("litserve",),
        body="litserve",
        command="python {here}/serving_litserve.py {port}",
    ),
    "kserve": Peer(
        environment="peers-kserve",
        distributions=("kserve",),
        body="tensor",
        command="python {here}/serving_kserve.py {port}",
    ),
}


class OwnServer:
    """A server of ours, or the floor: see serving_servers.py for what it is told."""

    def __init__(self, arguments: tuple[str, ...], folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "serving_servers.py"), *arguments, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment(_QUIET),
        )
        self.pid = self._process.pid
        self.port = 0

    def wait(self) -> None:
        """Wait until it takes connections."""
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said:
            sys.exit(f"a server ended with {self._process.wait()}")
        self.port = int(said)

    def pause(self) -> None:
        """Nothing: it does nothing where it is not asked."""

    def resume(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """End it, and wait for that."""
        self._process.communicate()


class PeerServer:
    """A peer in a folder of its own."""

    def __init__(self, word: str, folder: Path) -> None:
        self._word = word
        self._peer = peer = PEERS[word]
        binaries = BUILD / peer.environment / "bin"
        if not (binaries / "python").exists():
            sys.exit(f"{word} is not installed: make build/{peer.environment}/.ready")
        self.port = free_ports()
        run_process(
            [
                str(binaries / "python"),
                str(HERE / "serving_peers.py"),
                *("prepare", word, str(folder), str(self.port)),
            ],
            environ=_QUIET,
        )
        program, *words = peer.command.format(port=self.port, here=HERE).split()
        environ = {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(HERE)}
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(binaries / program), *words],
                cwd=folder / peer.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=child_environment({**_QUIET, **environ}),
            )
        self.pid = self._process.pid

    def wait(self) -> None:
        """Wait until it answers the first request: some listen long before."""
        deadline = time.monotonic() + START_SECONDS
        last = "it does not listen"
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                status, said = self._asked()
            except (OSError, http.client.HTTPException) as error:
                last = f"it does not answer: {error}"
            else:
                if status == http.client.OK:
                    return
                last = f"it answers {status} to a request that it should take: {said[:500]!r}"
            time.sleep(0.2)
        ended = self._process.poll()
        self.close()
        state = "is not ready in time" if ended is None else f"ended with {ended}"
        said = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
        sys.exit(f"{self._word} {state}; {last}. The end of its log:\n{said}")

    def _asked(self) -> tuple[int, bytes]:
        path, headers, body = BODIES[self._peer.body](1)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        with contextlib.closing(connection):
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()

    def pause(self) -> None:
        """Stop all of it: what it does for itself takes nothing from those that are asked."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End all of it, and wait for it."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            # Some of them begin a session of their own: their group would miss these.
            parent = psutil.Process(self.pid)
            for process in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)


def free_ports() -> int:
    """A port that is free, and so are the two after it: as far as can be known beforehand."""
    while True:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            first = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port: int = first.getsockname()[1]
            for more in (1, 2):
                held.enter_context(socket.create_server(("127.0.0.1", port + more)))
            return port


def started(arguments: tuple[str, ...], folder: Path) -> OwnServer | PeerServer:
    """A server that is on its way: a peer's word, or what serving_servers.py is told."""
    if arguments[0] in PEERS:
        return PeerServer(arguments[0], folder)
    return OwnServer(arguments, folder)


def peer_versions() -> dict[str, str]:
    """The version of each peer, as its environment has it."""
    script = (
        "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    )
    found: dict[str, str] = {}
    for environment in dict.fromkeys(peer.environment for peer in PEERS.values()):
        names = [
            name
            for peer in PEERS.values()
            if peer.environment == environment
            for name in peer.distributions
        ]
        python = str(BUILD / environment / "bin" / "python")
        said = subprocess.run(
            [python, "-c", script, *names], check=True, capture_output=True, text=True
        )
        found |= dict(zip(names, said.stdout.split(), strict=True))
    return found
