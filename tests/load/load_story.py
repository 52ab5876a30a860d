"""What happens to an endpoint while it is asked without a pause: swaps, bad canaries, and kills.

A canary and a rollback are commands that a person types, in a process of their own; the changes
from one good release to the other are made by one process. While a canary is judged, the release
that it is compared with stays: to deploy another would end its rollout. Those swaps are made up
for, before it and after it. Kills and measurements come from threads, so that nothing waits for
them and they for nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import psutil

SWAP_SECONDS = 1.0
SAMPLE_SECONDS = 1.0
READY_SECONDS = 120.0
CANARIES = 2
"""So many are tried at least, however long it takes."""
CANARY = """
[stack.dev.rollout]
strategy = "canary"
steps = [0.25]
window = "2s"
min_requests = 20

[stack.dev.rollout.bounds]
"rollout.error_rate" = "<= 0.01"
"rollout.latency_p99" = "<= {latency}"
"rollout.agreement" = ">= 0.9"
"""
LATENCY, PATIENCE = 0.3, 60
"""Seconds that answers may take: of the one that is late; of others, on whatever machine it is."""
BACK = 5


@attrs.define
class Story:
    """What was done, and what was seen of it.

    Attributes:
        swaps: seconds since the beginning at which another release was live, and all workers had
            it.
        seconds: how long releases were changed.
        shares: how often a canary came beside the live release, or went.
        canaries: of each bad canary its release, why it went back, and after how many seconds.
        killed: workers that were killed.
        memory: by process, pairs of seconds and bytes that it held.
        elder: the worker that lived from the beginning to the end.
        back: what was served after a rollback.
    """

    swaps: list[float] = attrs.field(factory=list)
    seconds: float = 0.0
    shares: int = 0
    canaries: list[tuple[str, str, float]] = attrs.field(factory=list)
    killed: list[int] = attrs.field(factory=list)
    memory: dict[int, list[tuple[float, int]]] = attrs.field(factory=dict)
    elder: int = 0
    back: str = ""


def readiness(address: str) -> dict[str, Any]:
    """What an endpoint says of itself, whichever worker answers."""
    url = urlsplit(address)
    link = http.client.HTTPConnection(str(url.hostname), url.port, timeout=READY_SECONDS)
    with contextlib.closing(link):
        link.request("GET", "/v2/health/ready")
        said: dict[str, Any] = json.loads(link.getresponse().read())
        return said


def server_of(folder: Path) -> int:
    """The process that watches over the workers."""
    (said,) = (folder / ".interlock" / "servers").glob("*.json")
    return int(json.loads(said.read_bytes())["process"]["pid"])


def both(address: str, gone: Collection[int] = ()) -> list[int]:
    """The two workers of an endpoint, once each is ready and known to the one that was asked.

    Args:
        address: of the endpoint.
        gone: workers that were killed: for a moment, who is asked may count them still.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            said = readiness(address)
            workers = list(said["workers"])
            if said["ready"] and len(workers) == 2 and not {*workers} & {*gone}:  # noqa: PLR2004  (two were asked for)
                return workers
        time.sleep(0.1)
    msg = "there were never two workers again"
    raise TimeoutError(msg)


class Teller:
    """Plays the story at a project whose endpoint is being asked.

    Args:
        project: a `SmallProject` with releases of ``good`` and ``bad`` runs.
        good: two releases that take turns, and the run of each.
        bad: by release, the run of it.
        late: of these the one that is found by its latency.
        seconds: how long.
        kill_seconds: how often a worker is killed.
        canary_seconds: how often a bad canary begins.
    """

    def __init__(
        self,
        project: Any,
        *,
        good: dict[str, str],
        bad: dict[str, str],
        late: str,
        seconds: float,
        kill_seconds: float,
        canary_seconds: float,
    ) -> None:
        self.story = Story()
        self._project = project
        self._good = good
        self._bad = bad
        self._late = late
        self._seconds = seconds
        self._kill_seconds = kill_seconds
        self._canary_seconds = canary_seconds
        self._address = project.endpoint["address"]
        self._ended = threading.Event()
        self._broken: list[BaseException] = []

    def play(self) -> Story:
        """Play it to its end.

        Raises:
            AssertionError: a command ended otherwise than it must.
        """
        self.story.elder = both(self._address)[0]
        self._began = time.monotonic()
        threads = [
            threading.Thread(target=self._guarded, args=(act,)) for act in (self._kill, self._weigh)
        ]
        for thread in threads:
            thread.start()
        try:
            with self._swapping():
                self._change()
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()
        if self._broken:
            raise self._broken[0]
        both(self._address, self.story.killed)
        return self.story

    def _guarded(self, act: Any) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  (told by the one who waits)
            self._broken.append(error)

    @property
    def _now(self) -> float:
        return time.monotonic() - self._began

    @property
    def _is_going_on(self) -> bool:
        return self._now < self._seconds or len(self.story.canaries) < CANARIES

    def _change(self) -> None:
        good, bad = itertools.cycle(self._good), list(self._bad.items())
        self._go_back()
        next(good)  # it is live
        canary_at = self._canary_seconds / 2
        while self._is_going_on and not self._broken:
            if self._now >= min(canary_at, self._seconds):
                canary_at += self._canary_seconds
                self._try(*bad[len(self.story.canaries) % len(bad)])
            else:
                self._swap(next(good))
            due = SWAP_SECONDS * len(self.story.swaps)
            time.sleep(max(0.0, min(due, canary_at, self._seconds) - self._now))
        self.story.seconds = self._now

    @contextlib.contextmanager
    def _swapping(self) -> Iterator[None]:
        """With a process that changes what is served, at hand."""
        folder = self._project.folder
        self._swaps = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("load_swaps.py"), "interlock.toml"],
            cwd=folder,
            env={**self._project.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with self._swaps:
            yield

    def _swap(self, release: str) -> None:
        print(release, file=self._swaps.stdin, flush=True)
        if self._swaps.stdout is None or self._swaps.stdout.readline() != "served\n":
            msg = f"{release} did not come to be served"
            raise AssertionError(msg)
        self._swapped()

    def _go_back(self) -> None:
        """Deploy the second of the good releases, and go back to the first."""
        self._project("deploy", list(self._good.values())[1])
        self._swapped()
        self._project("rollback")
        self._swapped()
        self.story.back = self._project.endpoint["release"]

    def _try(self, release: str, run: str) -> None:
        """Begin a bad canary, and look at it until it is out again."""
        project, began = self._project, self._now
        file = project.folder / "interlock.toml"
        at_once = file.read_text(encoding="utf-8")
        canary = CANARY.format(latency=LATENCY if release == self._late else PATIENCE)
        file.write_text(at_once + canary, encoding="utf-8")
        # One that is surely bad may be out again when the command ends that began it.
        done = project("deploy", run, expect=None)
        assert done.code in (0, BACK), done  # noqa: S101  (a test's own)
        if done.code == 0:
            project("rollout", "watch", "--every", 0.5, expect=BACK)
        self.story.shares += 2
        file.write_text(at_once, encoding="utf-8")
        found = self._rollout()
        assert (found["release"], found["status"]) == (release, "rolled-back")  # noqa: S101  (a test's own)
        self.story.canaries.append((release, found["reason"], self._now - began))

    def _rollout(self) -> Any:
        return self._project.listed("rollout", "status", "--limit", 1)[0]

    def _swapped(self) -> None:
        self.story.swaps.append(self._now)

    def _kill(self) -> None:
        while not self._ended.wait(self._kill_seconds):
            workers = both(self._address, self.story.killed)
            younger = [pid for pid in workers if pid != self.story.elder]
            os.kill(younger[0], signal.SIGKILL)
            self.story.killed.append(younger[0])

    def _weigh(self) -> None:
        """Note what the endpoint's processes hold in memory."""
        server = server_of(self._project.folder)
        while not self._ended.wait(SAMPLE_SECONDS):
            for pid in (server, self.story.elder):
                held = psutil.Process(pid).memory_info().rss
                self.story.memory.setdefault(pid, []).append((self._now, held))
