"""The parent's end: a plugin's worker, asked, timed, and started again where it may be."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from interlock_worker.errors import LineLate, LineLost, WorkerEnded, WorkerFailed
from interlock_worker.hooks import ASKED_AGAIN, ENDLESS
from interlock_worker.process import Process
from interlock_worker.proxy import Instance, proxy_class
from interlock_worker.roots import Listener, Plugins

START_SECONDS = 120.0
"""How long an interpreter may take to start and to import the plugin."""

_CRASHED = "what it printed is above; restarts in its table says how often it is started again"
_HUNG = "mend what it waits for, or give it longer: hook_timeout in its table of the stack file"
_MISSING = "No module named interlock_worker"

_living: weakref.WeakSet[WorkerPlugin] = weakref.WeakSet()


class WorkerPlugin:
    """A plugin in an environment of its own.

    Args:
        name: ``<role>-<word>``.
        python: the interpreter of that environment.
        hook_timeout: seconds that a hook may take; None for any time.
        restarts: how often a process that ended is started again.
    """

    def __init__(
        self,
        name: str,
        python: Path,
        *,
        hook_timeout: float | None = None,
        restarts: int = 1,
    ) -> None:
        self.name = name
        self.python = python
        self.hook_timeout = hook_timeout
        self.restarts = restarts
        self._left = restarts
        self._lock = threading.Lock()
        self._processes: list[Process] = []
        self._description: Mapping[str, Any] | None = None
        self._close = weakref.finalize(self, _shut_all, self._processes)
        _living.add(self)

    @property
    def pid(self) -> int | None:
        """The process id of the worker, where one runs."""
        return next((process.pid for process in self._processes if process.alive), None)

    def description(self) -> Mapping[str, Any]:
        """What the plugin is, as `interlock_worker.describe.describe` tells it.

        Raises:
            WorkerFailed: its interpreter does not start, or the plugin is not there or not fit.
        """
        self._running()
        assert self._description is not None  # noqa: S101  (what runs has described itself)
        return self._description

    def distributions(self, roots: list[str]) -> Mapping[str, Any]:
        """What is installed there, as `interlock_worker.distributions.distributions` tells it.

        Raises:
            WorkerFailed: as `description`.
        """
        found: Mapping[str, Any] = self._call(self._running(), "distributions", roots=roots)
        return found

    def plugin_class(self) -> type[Any]:
        """The class that stands for the plugin. It keeps this worker, and its instances do.

        Raises:
            WorkerFailed: as `description`.
        """
        return proxy_class(self.description(), self)

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            _shut_all(self._processes)

    # -- what the class that stands for the plugin asks for ----------------------------------------

    def make(self, settings: Mapping[str, Any]) -> Instance:
        """Make an instance; raises what the plugin's class raises against its settings."""
        instance = Instance(settings)
        self._number(self._running(), instance)
        return instance

    def left_out(self, instance: Instance) -> tuple[str, ...]:
        """The hooks that an instance does not answer as it is configured."""
        process = self._running()
        number = self._number(process, instance)
        return tuple(self._call(process, "left_out", number=number))

    def check(self, name: str, value: Any) -> None:
        """Hold a value against the validator of a setting; raises what that raises."""
        self._call(self._running(), "check", name=name, value=value)

    def discard(self, instance: Instance) -> None:
        """Forget an instance; called by the garbage collector, so the worker hears of it later."""
        process = instance.process
        if isinstance(process, Process) and process.alive:
            process.peer.drop(instance.number)

    def ask(self, instance: Instance, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Ask an instance a hook.

        Raises:
            WorkerFailed: the worker crashed or gave no answer in time.
            Exception: whatever the plugin raised.
        """
        try:
            return self._ask(instance, hook, arguments)
        except WorkerEnded:
            if hook not in ASKED_AGAIN or self._left == 0:
                raise
        return self._ask(instance, hook, arguments)

    def _ask(self, instance: Instance, hook: str, arguments: Mapping[str, Any]) -> Any:
        process = self._running()
        number = self._number(process, instance)
        seconds = None if hook in ENDLESS else self.hook_timeout
        deadline = None if seconds is None else time.monotonic() + seconds
        with _watched(process, seconds), _signals_passed_on(process, hook):
            return process.peer.ask(number, hook, arguments, deadline)

    def _number(self, process: Process, instance: Instance) -> int:
        if instance.process is not process:
            instance.number = self._call(process, "make", settings=dict(instance.settings))
            instance.process = process
        return instance.number

    def _call(self, process: Process, method: str, **arguments: Any) -> Any:
        deadline = time.monotonic() + START_SECONDS
        with _watched(process, START_SECONDS):
            return process.peer.call(0, Plugins, method, arguments, deadline=deadline)

    def __reduce__(self) -> Any:  # pickle's own signature
        """In another process it is the same plugin there, in a worker of that process."""
        return _again, (self.name, self.python, self.hook_timeout, self.restarts)

    # -- the process -------------------------------------------------------------------------------

    def _running(self) -> Process:
        for process in self._processes:
            if process.alive:
                return process
        with self._lock:
            before = self._processes[0] if self._processes else None
            if before is not None and before.alive:
                return before
            started = self._started(before)
            self._processes[:] = [started]
            return started

    def _started(self, before: Process | None) -> Process:
        if before is not None and before.blamed:
            if self._left == 0:
                msg = f"its worker {before.how_it_ended()}, and is not started again"
                hint = f"it was started again {self.restarts} times: restarts in its table"
                raise WorkerFailed(msg, hint=hint)
            self._left -= 1
        process = Process(self.python, self.name, _Heard(), Listener)
        role, _, word = self.name.partition("-")
        try:
            self._description = self._call(process, "describe", role=role, word=word)
        except WorkerEnded as error:
            raise self._unstarted(process, error) from error
        except BaseException:
            process.shut()
            raise
        return process

    def _unstarted(self, process: Process, error: WorkerEnded) -> WorkerFailed:
        words = process.last_words()
        if _MISSING in words:
            msg = f"{self.python}: that environment has no interlock-worker"
            return WorkerFailed(msg, hint=f"{self.python} -m pip install interlock-worker")
        last = f"; its last words: {words}" if words else ""
        return WorkerFailed(f"{self.python}: {error}{last}")

    def _after_fork(self) -> None:
        """In a fork: the parent keeps its worker, and this process starts its own when asked."""
        self._lock = threading.Lock()
        for process in self._processes:
            process.forget()
        self._processes.clear()


def _again(name: str, python: Path, hook_timeout: float | None, restarts: int) -> WorkerPlugin:
    return WorkerPlugin(name, python, hook_timeout=hook_timeout, restarts=restarts)


def _shut_all(processes: list[Process]) -> None:
    while processes:
        processes.pop().shut()


def _forked() -> None:
    for worker in list(_living):
        worker._after_fork()  # noqa: SLF001  (its own module)


os.register_at_fork(after_in_child=_forked)


@contextlib.contextmanager
def _watched(process: Process, seconds: float | None) -> Iterator[None]:
    """A call to a worker: what ends it before its answer, in words."""
    try:
        yield
    except LineLate as error:
        process.kill("was ended, another of its calls having no end")
        msg = f"gave no answer in {seconds:g} s"
        raise WorkerFailed(msg, hint=_HUNG) from error
    except LineLost as error:
        msg = f"its worker {process.how_it_ended()}"
        raise WorkerEnded(msg, hint=_CRASHED) from error


@contextlib.contextmanager
def _signals_passed_on(process: Process, hook: str) -> Iterator[None]:
    """While a worker serves, hand it the signals that end a server."""
    if hook != "serve_endpoint" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a handler's arguments)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signum)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Heard:
    """What a worker may call of its parent beside what hooks are given."""

    def log(self, name: str, level: int, text: str) -> None:
        logging.getLogger(name).log(level, "%s", text)

    def level(self) -> int:
        return logging.getLogger("interlock.plugins").getEffectiveLevel()
