"""An endpoint of several processes, started as core starts one, and how to ask it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
from asking import INFER, ROW, tensors

T = TypeVar("T")

HERE = Path(__file__).parent


SCRIPT = """
import json, logging, os, sys, threading, time, types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
import conftest
from interlock_serving import ServerSettings, serve_endpoint

folder = Path(sys.argv[1])
settings = json.loads(sys.argv[2])
held = settings.pop("held", False)

class Model(conftest.Logistic):
    def predict(self, rows):
        if held:
            (folder / "working").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        return super().predict(rows)

class Feed(conftest.Feed):
    command = (sys.executable, *sys.orig_argv[1:])

    def started(self, address):
        (folder / "started.tmp").write_text(f"{os.getpid()} {address}")
        (folder / "started.tmp").rename(folder / "started")

    def follow(self):
        while True:
            number = int((folder / "release").read_text())
            if not self.current or self.current[0].target.release.number != str(number):
                self.change(conftest.target(number, Model(float(number))))
            time.sleep(0.01)

class Captures:
    lost = 0
    handle = os.open(folder / "captures", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def put_batch(self, batch):
        for request_id in batch.request_ids:
            os.write(self.handle, f"{request_id} {batch.release}\\n".encode())
        return True

# A worker that is started while the folder is closed waits before it listens.
while (folder / "closed").exists():
    time.sleep(0.01)
feed = Feed()
threading.Thread(target=feed.follow, daemon=True).start()
ws = types.SimpleNamespace(log=logging.getLogger("test"))
serve_endpoint(ServerSettings(**settings), conftest.ENDPOINT, feed, Captures(), ws)
"""


class Endpoint:
    """An endpoint of several processes, and how to ask it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], count: int) -> None:
        self.count = count
        self.folder = folder
        self.process = process
        self.address = ("", 0)

    def connect(self) -> contextlib.closing[http.client.HTTPConnection]:
        """A connection that is closed at the end of the with-block."""
        return contextlib.closing(http.client.HTTPConnection(*self.address, timeout=60))

    def get(self, path: str = "/v2/health/ready") -> str:
        """What a new connection is answered."""
        with self.connect() as link:
            link.request("GET", path)
            return link.getresponse().read().decode()

    def infer(self, link: http.client.HTTPConnection, name: str | None = None) -> tuple[int, Any]:
        """Status and JSON of an inference over a row."""
        link.request("POST", INFER, json.dumps({"inputs": tensors(ROW), "id": name}))
        answer = link.getresponse()
        return answer.status, json.loads(answer.read())

    @contextlib.contextmanager
    def slow(self) -> Iterator[list[int]]:
        """A request that a held model works on; its status is there after the block."""
        answers: list[int] = []

        def ask() -> None:
            with self.connect() as link:
                answers.append(self.infer(link)[0])

        client = threading.Thread(target=ask)
        client.start()
        self.until((self.folder / "working").exists)
        yield answers
        (self.folder / "go").touch()
        client.join(120)

    @property
    def ready(self) -> Any:
        """Its status, as one of the workers tells it."""
        return json.loads(self.get())

    @property
    def workers(self) -> list[int]:
        """The processes that serve."""
        found: list[int] = self.ready["workers"]
        return found

    @property
    def asked(self) -> int:
        """How many requests its releases had, as one of the workers knows."""
        return counted(self.ready)

    def swap(self) -> str:
        """Serve another release, which is counted from nothing."""
        number = int((self.folder / "release").read_text()) + 1
        self.serve(number)
        self.settle()
        self.until(lambda: self.ready["serving"] == [f"release-{number}"])
        return f"release-{number}"

    def settle(self) -> list[int]:
        """Wait until each worker knows of the others."""
        knowing = set()

        def settled() -> list[int]:
            said = self.ready
            workers: list[int] = said["workers"]
            if len(workers) == self.count and said["ready"]:
                knowing.add(said["pid"])
            return workers if knowing >= set(workers) else []

        return self.until(settled)

    def serve(self, number: int) -> None:
        """Let it serve a release, in its time."""
        temporary = self.folder / "release.tmp"
        temporary.write_text(str(number))
        temporary.rename(self.folder / "release")

    def until(self, condition: Callable[[], T]) -> T:
        """Wait for what is to come about, and give it."""
        deadline = time.monotonic() + 120
        while not (found := condition()):
            assert time.monotonic() < deadline  # noqa: S101  (a test's own)
            time.sleep(0.02)
        return found


def counted(ready: Any) -> int:
    """How many requests a status tells of."""
    return sum(each["requests"] for each in ready["traffic"])


@contextlib.contextmanager
def endpoint(folder: Path, **settings: Any) -> Iterator[Endpoint]:
    """An endpoint that is ended when the block is left; not all of them come to listen."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "serve.py").write_text(SCRIPT)
    path = os.pathsep.join([str(HERE), *sys.path])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, folder / "serve.py", folder, json.dumps(settings)],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
        )
    running = Endpoint(folder, process, settings.get("workers", 1))
    running.serve(1)
    try:
        started = folder / "started"
        running.until(lambda: started.exists() or process.poll() is not None)
        if started.exists():
            pid, address = started.read_text().split()
            assert int(pid) == process.pid  # noqa: S101  (a test's own)
            host, port = address.removeprefix("http://").split(":")
            running.address = host, int(port)
            # Each worker has said to the supervisor, and it to the others, what it serves.
            running.settle()
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(120)


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has collected yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
