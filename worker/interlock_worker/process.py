"""A worker's process, from its parent's side: started, watched, and ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO, Any

from interlock_worker.errors import WorkerFailed
from interlock_worker.peer import Peer

_PATIENCE = 5.0
"""Seconds that a worker has to end by itself, and the kernel to say how it did."""
_INTERVAL = 0.2
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV")
"""Variables that would lead one interpreter to another's packages."""


class Process:
    """One running worker.

    A thread of its own starts it and lives as long as it: the kernel ends a child with the thread
    that made it.

    Args:
        python: the interpreter.
        name: the plugin's, before each line that the worker prints.
        root, protocol: what it may call; see `Peer`.

    Attributes:
        owner: the process that started it.
        blamed: whether its end counts as a crash.

    Raises:
        WorkerFailed: it cannot be started.
    """

    def __init__(self, python: Path, name: str, root: Any, protocol: type[Any]) -> None:
        self._python = python
        self._name = name
        self.owner = os.getpid()
        self._control, self._theirs = socket.socketpair()
        self.peer = Peer(
            self._control,
            root,
            protocol,
            where=f"in the worker of {name}",
            given_up=self._give_up,
        )
        self.blamed = True
        self._popen: subprocess.Popen[bytes] | None = None
        self._failed: BaseException | None = None
        self._started, self._ended = threading.Event(), threading.Event()
        self._reason = self._last_line = ""
        self._silent = threading.Event()
        threading.Thread(target=self._live, name=f"interlock-worker {name}", daemon=True).start()
        self._started.wait()
        if self._failed is not None:
            self.peer.close()
            msg = f"{python}: {_why(self._failed)}"
            raise WorkerFailed(msg)
        self.shut = weakref.finalize(self, _shut, self.owner, self.peer, self._popen, self._ended)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid if self._popen is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it runs, and is this process's child."""
        return not self._ended.is_set() and self.owner == os.getpid()

    def kill(self, reason: str) -> None:
        """End it and what it started, now; whoever waits for it hears the reason."""
        self._reason = self._reason or reason
        if self._popen is not None:
            _kill(self._popen)
        self._ended.wait(_PATIENCE)

    def _give_up(self) -> None:
        """End it because its caller was interrupted: whose fault that was, it was not its own."""
        self.blamed = False
        self.kill("was ended, its caller having been interrupted")

    def how_it_ended(self) -> str:
        """In words: by which signal, or with which exit code."""
        self._ended.wait(_PATIENCE)
        if self._reason:
            return self._reason
        code = self._popen.poll() if self._popen is not None else None
        if code is None:
            return "stopped answering"
        if code >= 0:
            return f"ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"ended with signal {-code} ({signal.Signals(-code).name})"
        return f"ended with signal {-code}"

    def last_words(self) -> str:
        """The last line that it printed, once it has ended; empty where there is none."""
        # Its end may be heard of before what it printed is read.
        self._silent.wait(_PATIENCE)
        return self._last_line

    def forget(self) -> None:
        """In a fork: leave the process to the parent that has it."""
        self.shut.detach()
        self.peer.abandon()
        if self._popen is not None:
            self._popen.returncode = 0
        self._ended.set()

    def _live(self) -> None:
        try:
            popen = self._popen = self._start()
        except (OSError, subprocess.SubprocessError) as error:
            self._failed = error
            return
        finally:
            self._theirs.close()
            self._started.set()
        if popen.stdout is not None:
            out = threading.Thread(target=self._tell, args=(popen.stdout,), daemon=True)
            out.start()
        self._follow(popen)
        popen.wait()
        self._ended.set()
        # A process that it forked may hold the sockets: nobody is to wait for that one.
        self.peer.close()

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._theirs.fileno()
        command = [str(self._python), "-I", "-u", "-X", "faulthandler", "-m", "interlock_worker"]
        return subprocess.Popen(
            [*command, str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[descriptor],
            env={name: value for name, value in os.environ.items() if name not in _FOREIGN},
            # Ctrl-C reaches this process, which ends the worker: it must not be hit in between.
            start_new_session=True,
        )

    def _follow(self, popen: subprocess.Popen[bytes]) -> None:
        """Take the lines that the worker makes, until it ends."""
        poll = select.poll()
        control = self._control.fileno()
        poll.register(control, select.POLLIN)
        ended = os.pidfd_open(popen.pid) if hasattr(os, "pidfd_open") else None
        if ended is not None:
            poll.register(ended, select.POLLIN)
        wait = None if ended is not None else _INTERVAL * 1000
        try:
            while popen.poll() is None:
                ready = {descriptor for descriptor, _ in poll.poll(wait)}
                if control in ready:
                    line = self.peer.accept()
                    threading.Thread(target=self.peer.serve, args=(line,), daemon=True).start()
        except EOFError:
            pass  # it closed its end: it is on its way out, or this side closed it
        finally:
            if ended is not None:
                os.close(ended)

    def _tell(self, out: IO[bytes]) -> None:
        """Pass on what the worker prints, through whatever stands in for standard error here."""
        with out:
            for raw in out:
                self._last_line = raw.decode("utf-8", "replace").rstrip()
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(f"{self._name}: {self._last_line}\n")
                    sys.stderr.flush()
        self._silent.set()


def _why(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such interpreter"
    if isinstance(error, PermissionError):
        return "it may not be run"
    return str(error)


def _kill(popen: subprocess.Popen[bytes]) -> None:
    if popen.poll() is None:
        # It leads a group of its own: what it started ends with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)


def _shut(
    owner: int, peer: Peer, popen: subprocess.Popen[bytes] | None, ended: threading.Event
) -> None:
    """Let a worker that nobody needs any more end; when it does not, end it."""
    if os.getpid() != owner or popen is None:
        return
    peer.close()
    if not ended.wait(_PATIENCE):
        _kill(popen)
        ended.wait(_PATIENCE)
