"""The worker's process: it loads a plugin, answers its hooks, and ends with its parent."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import attrs

from interlock_hookspecs import Unsupported, left_out, type_hints
from interlock_worker.describe import describe, find
from interlock_worker.errors import WorkerFailed
from interlock_worker.peer import Peer
from interlock_worker.roots import Listener, Plugins
from interlock_worker.untyped import fitted
from interlock_worker.wire import Line

_PR_SET_PDEATHSIG = 1
_GRACE = 2.0
"""Seconds that the plugin's own clean-up has once the parent is gone."""


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket until it goes."""
    end_with_parent()
    worker = Worker(socket.socket(fileno=descriptor))
    os.register_at_fork(after_in_child=worker.peer.abandon)
    first = worker.peer.accept()
    threading.Thread(target=worker.follow, name="interlock-control", daemon=True).start()
    # What asks for the main thread (signal handlers, some event loops) finds itself there.
    worker.peer.serve(first)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent's thread ends, where it knows how."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Worker:
    """The plugin of this process, and its instances."""

    def __init__(self, control: socket.socket) -> None:
        self.peer = Peer(control, self, Plugins, where="in core", opener=self._opener)
        self._class: type[Any] | None = None

    def follow(self) -> None:
        """Take new lines, each on a thread of its own, until the parent is gone."""
        with contextlib.suppress(EOFError):
            while True:
                line: Line = self.peer.accept()
                threading.Thread(target=self.peer.serve, args=(line,), daemon=True).start()
        # The main thread may be deep in a hook that nobody waits for any more. Where it is not,
        # the process ends at once: this thread is none that it waits for, and begins no other.
        time.sleep(_GRACE)
        os._exit(1)

    def describe(self, role: str, word: str) -> Any:
        entry_point = find(role, word)
        try:
            cls = entry_point.load()
        except (Exception, SystemExit) as error:
            msg = f"{entry_point.value} cannot be imported there: {type(error).__name__}: {error}"
            raise WorkerFailed(msg) from error
        self._class = cls
        name = f"{role}-{word}"
        logging.getLogger().addHandler(_Forward(self.peer, name))
        level = self.peer.call(0, Listener, "level", {})
        logging.getLogger("interlock.plugins").setLevel(level)
        return describe(cls, entry_point)

    @staticmethod
    def distributions(roots: list[str]) -> Any:
        from interlock_worker.distributions import distributions

        return distributions(roots)

    def make(self, settings: Mapping[str, Any]) -> int:
        instance = configured(self._loaded(), settings)
        return self.peer.export(instance, type(instance), instance)

    def left_out(self, number: int) -> list[str]:
        return sorted(left_out(self.peer.original(number)))

    def check(self, name: str, value: Any) -> None:
        cls = self._loaded()
        field = next(field for field in attrs.fields(cls) if field.alias == name)
        blank = object.__new__(cls)
        # A validator that reads other fields finds none here, and speaks when the instance is made.
        with contextlib.suppress(AttributeError):
            field.validator(blank, field, fitted(type_hints(cls).get(field.name, Any), value))

    def _loaded(self) -> type[Any]:
        if self._class is None:
            raise WorkerFailed("it was asked before it was told which plugin it runs")
        return self._class

    @staticmethod
    def _opener(format: str, settings: Mapping[str, Any]) -> Any:  # noqa: A002  (the field's own word)
        try:
            cls = find("model", format).load()
        except WorkerFailed as error:
            msg = (
                f"a fitted object cannot cross to another process, and this environment has no "
                f"opener for the format {format!r}: install interlock-model-{format} into it"
            )
            raise Unsupported(msg) from error
        return configured(cls, settings)


def configured(cls: type[Any], settings: Mapping[str, Any]) -> Any:
    """An instance of a plugin's class from values that crossed."""
    hints = type_hints(cls)
    names = {field.alias: field.name for field in attrs.fields(cls)}
    return cls(
        **{key: fitted(hints.get(names[key], Any), value) for key, value in settings.items()}
    )


class _Forward(logging.Handler):
    """Sends records to the parent, under the plugin's name."""

    def __init__(self, peer: Peer, plugin: str) -> None:
        super().__init__()
        self._peer = peer
        self._plugin = plugin
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Send one; what sending it logs itself is dropped."""
        if getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            own = record.name.removeprefix("interlock.plugins").strip(".")
            name = ".".join(part for part in ("interlock.plugins", self._plugin, own) if part)
            said = {"name": name, "level": record.levelno, "text": self.format(record)}
            self._peer.call(0, Listener, "log", said)
        except Exception:  # noqa: BLE001  (logging never raises into who logs)
            self.handleError(record)
        finally:
            self._busy.now = False
