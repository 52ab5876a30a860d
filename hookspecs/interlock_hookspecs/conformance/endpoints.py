"""What the deploy suite serves: released models, a feed that changes, and a sink that reports.

``serve_endpoint`` returns after a signal, and only the main thread of a process hears signals. So
the server runs in a child process, made by forking, and what it does comes back through a pipe.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import queue
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import attrs
import pytest

from interlock_hookspecs import (
    Capture,
    CaptureBatch,
    Deployment,
    EndpointStatus,
    OpenTarget,
    Predictor,
    Target,
)
from interlock_hookspecs.conformance.released import ENDPOINT, Share
from interlock_hookspecs.conformance.suite import ask
from interlock_hookspecs.conformance.workspace import LocalWorkspace

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Opener(Protocol):
    """Makes the opened model of a release, which takes so long to answer."""

    def __call__(self, number: int, seconds: float) -> Predictor:
        """See `interlock_hookspecs.conformance.serving.ServingPromises.predictor`."""


START_SECONDS = 60.0
PATIENCE = 60.0
STATUS_SECONDS = 15.0


class Served:
    """An endpoint that a plugin serves in a process of its own.

    Attributes:
        address: what it told the feed; empty until it listens.
        ended: what the hook did: nothing yet, ``returned``, or the error that it raised.
        told: how often it said that it listens.
        begun: whether a model was asked, where models are such as say so.
    """

    def __init__(
        self,
        plugin: Any,
        folder: Path,
        targets: Sequence[Target],
        opener: Opener,
        *,
        seconds: float = 0.0,
        full: bool = False,
    ) -> None:
        if "fork" not in multiprocessing.get_all_start_methods():
            pytest.skip("this platform cannot fork, and a server needs a process of its own")
        self.address = self.ended = ""
        self.told = 0
        self.begun = False
        self._captures: list[dict[str, Any]] = []
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        arguments = (plugin, folder, tuple(targets), theirs, opener, seconds, full)
        self._process = context.Process(target=_serve, args=arguments)
        with warnings.catch_warnings():
            # Python warns of a fork beside threads; this child only calls the plugin.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        try:
            started = "it never said that it listens"
            self.until(lambda: self.told or self.ended, started, seconds=START_SECONDS)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid or 0

    def change(self, *targets: Target) -> None:
        """Hand over other targets."""
        self._pipe.send(("targets", targets))

    def say(self, problem: str) -> None:
        """Let the feed have a problem."""
        self._pipe.send(("problem", problem))

    def captures(self, count: int) -> list[dict[str, Any]]:
        """What was captured, once there are so many."""
        self.until(
            lambda: len(self._captures) >= count,
            f"of {count} answers not all were captured",
        )
        return list(self._captures)

    def until(
        self, holds: Callable[[], object], otherwise: str, *, seconds: float | None = None
    ) -> None:
        """Read what the process tells until something is so."""
        deadline = time.monotonic() + (PATIENCE if seconds is None else seconds)
        while not holds():
            assert time.monotonic() < deadline, otherwise
            self._listen(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to stop, as core does; its process has ended when this returns."""
        os.kill(self.pid, number)
        self.until(lambda: self.ended, f"it does not return after {number.name}")
        assert self.ended == "returned", f"after {number.name}: {self.ended}"
        self._process.join(PATIENCE)
        assert not self._process.is_alive(), "it returned, and a thread keeps its process alive"

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _listen(self, seconds: float) -> None:
        try:
            if not self._pipe.poll(seconds):
                return
            kind, value = self._pipe.recv()
        except (EOFError, ConnectionError):
            self.ended = self.ended or "the process ended without a word"
            return
        if kind == "listens":
            self.address, self.told = value, self.told + 1
        elif kind == "begun":
            self.begun = True
        elif kind == "capture":
            self._captures.append(value)
        else:
            self.ended = value


def _serve(
    plugin: Any,
    folder: Path,
    targets: tuple[Target, ...],
    pipe: Connection,
    opener: Opener,
    seconds: float,
    full: bool,
) -> None:
    """The life of the child: serve until a signal, then say how it ended."""
    sink = _Sink(pipe, full=full)
    feed = _Feed(sink, functools.partial(opener, seconds=seconds))
    feed.take(targets)
    threading.Thread(target=feed.follow, args=(pipe,), daemon=True).start()
    try:
        ws = LocalWorkspace(folder)
        ask(plugin, "serve_endpoint", endpoint=ENDPOINT, feed=feed, captures=sink, ws=ws)
        ended = "returned"
    except BaseException as error:  # noqa: BLE001  (the parent judges how it ended)
        ended = f"{type(error).__name__}: {error}"
    sink.close(ended)


class _Sink:
    """A `CaptureSink` that reports through a pipe, from a thread of its own: it never blocks."""

    def __init__(self, pipe: Connection, *, full: bool) -> None:
        self._messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._full = full
        self.lost = 0
        self._thread = threading.Thread(target=self._report, args=(pipe,), daemon=True)
        self._thread.start()

    def put(self, capture: Capture) -> bool:
        if self._full:
            self.lost += 1
            return False
        said = {
            "request_id": capture.request_id,
            "at": capture.at,
            "release": capture.release,
            "rows": capture.rows.to_pydict(),
            "predictions": capture.predictions.to_pydict(),
            "mirror": capture.mirror,
        }
        self.tell("capture", said)
        return True

    def put_batch(self, batch: CaptureBatch) -> bool:
        taken = [self.put(capture) for capture in batch.each()]
        return all(taken)

    def tell(self, kind: str, value: Any) -> None:
        self._messages.put((kind, value))

    def close(self, ended: str) -> None:
        self.tell("ended", ended)
        self._thread.join(PATIENCE)

    def _report(self, pipe: Connection) -> None:
        with contextlib.suppress(OSError):
            for message in iter(self._messages.get, None):
                pipe.send(message)
                if message[0] == "ended":
                    return


class _Feed:
    """A `TargetFeed` that the parent changes."""

    def __init__(self, sink: _Sink, opener: Callable[[int], Predictor]) -> None:
        self.current: tuple[OpenTarget, ...] = ()
        self.problem = ""
        self._sink = sink
        self._opener = opener
        self._watchers: list[Callable[[], None]] = []
        self._predictors: dict[int, Predictor] = {}
        self._begun = False

    def _opened(self, number: int) -> Predictor:
        """The model of a release, opened once, as core does."""
        if number not in self._predictors:
            opened = self._opener(number)
            if isinstance(opened, Share):
                opened = attrs.evolve(opened, begins=self._begins)
            self._predictors[number] = opened
        return self._predictors[number]

    def _begins(self) -> None:
        """Tell, once, that a model is asked."""
        if not self._begun:
            self._begun = True
            self._sink.tell("begun", None)

    def take(self, targets: Sequence[Target]) -> None:
        self.current = tuple(
            OpenTarget(target=target, predictor=self._opened(int(target.release.number)))
            for target in targets
        )

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def started(self, address: str) -> None:
        self._sink.tell("listens", address)

    def follow(self, pipe: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                kind, value = pipe.recv()
                if kind == "problem":
                    self.problem = value
                    continue
                self.take(value)
                for changed in self._watchers:
                    changed()


@contextlib.contextmanager
def serving(
    plugin: Any,
    folder: Path,
    *targets: Target,
    opener: Opener,
    seconds: float = 0.0,
    full: bool = False,
) -> Iterator[Served]:
    """An endpoint that listens, ended when the block is left."""
    with Served(plugin, folder, targets, opener, seconds=seconds, full=full) as served:
        assert not served.ended, f"it does not serve: {served.ended}"
        assert served.told == 1, f"it said {served.told} times that it listens"
        yield served


def status_of(plugin: Any, deployment: Deployment) -> EndpointStatus:
    """The status of an endpoint, which comes within seconds and is never an error."""
    started = time.monotonic()
    try:
        status: EndpointStatus = ask(plugin, "endpoint_status", deployment=deployment)
    except Exception as error:
        msg = f"a status is an error: {type(error).__name__}: {error}"
        raise AssertionError(msg) from error
    seconds = time.monotonic() - started
    assert seconds < STATUS_SECONDS, f"a status takes {seconds:.0f} s"
    return status


def deployment_of(served: Served, *targets: Target, name: str = ENDPOINT.name) -> Deployment:
    """The deployment as core has recorded it."""
    endpoint = attrs.evolve(ENDPOINT, name=name)
    return Deployment(id="deployment-1", endpoint=endpoint, targets=targets, address=served.address)
