"""An endpoint of processes of its own: workers that share a port, replaced where they die or hang.

Each worker has a socket of its own that listens, and the system deals out connections among them.
The supervisor holds these sockets and answers nothing. While a worker is away, or says nothing, the
others take who waits on its socket: only the requests that it had are lost. What they count stands
in slots, which the supervisor holds and does not read.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from interlock_hookspecs import Unavailable
from interlock_serving.layers.access import access_of
from interlock_serving.wire.listening import address_of, claim, listen, port_taken_over, reserve
from interlock_serving.wire.tls import server_context
from interlock_serving.workers.peers import ENVIRONMENT, TELL_SECONDS
from interlock_serving.workers.signals import heard
from interlock_serving.workers.slots import Slot

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from interlock_hookspecs import TargetFeed
    from interlock_serving.settings import ServerSettings

_TICK = 0.05
_CHUNK = 1024 * 1024
_YOUNG = 10.0
_DELAYS = (0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_GRACE = 10.0
_COVERED_AFTER = 2.0
"""Seconds of silence after which the others take a worker's new connections, too."""


@attrs.define(eq=False)
class _Place:
    """The place of one worker, and who is in it.

    Attributes:
        number: which place.
        listener: where its connections come.
        slot: what was counted in it.
        process: the worker, None while there is none.
        control: the socket to it.
        state: as it last said; None before it listens.
        heard: when that was, by the monotonic clock.
        due: when the next is started.
        deaths: how many died young, one after the other.
        ends: when one that has said goodbye is killed, should it not end.
    """

    number: int
    listener: socket.socket
    slot: Slot = attrs.field(factory=Slot.made)
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None
    state: dict[str, Any] | None = None
    came: bytearray = attrs.field(factory=bytearray)
    goes: bytearray = attrs.field(factory=bytearray)
    heard: float = 0.0
    began: float = 0.0
    due: float = 0.0
    deaths: int = 0
    ends: float = 0.0

    @property
    def vacant(self) -> bool:
        """Whether nobody here takes connections, or may not."""
        silent = time.monotonic() - self.heard
        return self.control is None or self.state is None or silent > _COVERED_AFTER


class Supervisor:
    """An endpoint that is served by processes of their own.

    Args:
        settings: of the plugin.
        feed: told when all workers listen. What is served, each worker follows by itself.
        command: starts a worker.
        log: told of workers that die.

    Raises:
        InvalidInput, Unavailable: the settings cannot be served.
    """

    def __init__(
        self,
        settings: ServerSettings,
        feed: TargetFeed,
        command: Sequence[str],
        log: logging.Logger,
    ) -> None:
        # Told here and not by each worker.
        access_of(settings)
        self._tls = server_context(settings) is not None
        self._settings = settings
        self._feed = feed
        self._command = command
        self._log = log
        self._places: list[_Place] = []
        self._selector = selectors.DefaultSelector()
        self._grpc_port = 0
        self._listening = False
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP; the workers' requests in flight come first.

        Raises:
            Unavailable: the address is taken, or the workers cannot start.
        """
        settings = self._settings
        beside = port_taken_over(self._feed)
        port = claim(settings.host, settings.port, taken_over=beside)
        for number in range(settings.workers):
            listener = listen(settings.host, port, shared=True)
            port = listener.getsockname()[1]
            self._places.append(_Place(number=number, listener=listener))
        with contextlib.ExitStack() as held, self._selector, heard(self._stop):
            if settings.grpc_port is not None:
                # Whose place this one takes has its gRPC port as well, if it is the same.
                taken_over = settings.grpc_port if beside else 0
                holder = reserve(settings.host, settings.grpc_port, taken_over=taken_over)
                held.enter_context(holder)
                self._grpc_port = holder.getsockname()[1]
            try:
                self._keep()
            finally:
                self._end()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _keep(self) -> None:
        tell_at = 0.0
        while not self._stopping:
            for place in self._places:
                if place.process is None and time.monotonic() >= place.due:
                    self._start(place)
                elif place.process is not None and place.control is None:
                    self._bury(place, place.process)
            for key, _ in self._selector.select(_TICK):
                self._hear(key.data)
            self._end_silent()
            if not self._listening and all(place.state for place in self._places):
                self._listening = True
                self._feed.started(address_of(self._places[0].listener, tls=self._tls))
            if time.monotonic() >= tell_at:
                tell_at = time.monotonic() + TELL_SECONDS
                self._tell()

    def _start(self, place: _Place) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            listeners = [each.listener.fileno() for each in self._places]
            slots = [each.slot.handle for each in self._places]
            handles = (theirs.fileno(), *listeners, *slots)
            told = (place.number, self._grpc_port, *handles)
            place.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                pass_fds=handles,
                env={**os.environ, ENVIRONMENT: ",".join(map(str, told))},
            )
        ours.settimeout(0.0)
        place.control = ours
        place.began = time.monotonic()
        self._selector.register(ours, selectors.EVENT_READ, place)
        self._say(place)

    def _hear(self, place: _Place) -> None:
        """Take what a worker says; that it says nothing more is that it is gone."""
        if place.control is None:
            return
        try:
            chunk = place.control.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._selector.unregister(place.control)
            place.control.close()
            place.control = None
            # It may still write what it captured.
            place.ends = time.monotonic() + _GRACE
            return
        place.came += chunk
        *lines, rest = place.came.split(b"\n")
        place.came = bytearray(rest)
        if lines:
            place.state = orjson.loads(lines[-1])
            place.heard = time.monotonic()

    def _end_silent(self) -> None:
        """End workers that say nothing: what hangs hears no signal but the one that kills."""
        latest = time.monotonic() - self._settings.silent_seconds
        for place in self._places:
            hangs = place.control is not None and place.state is not None and place.heard < latest
            if hangs and place.process is not None:
                words = "worker %s said nothing for %g s and is killed"
                self._log.warning(words, place.process.pid, self._settings.silent_seconds)
                place.process.kill()
                # Once: that its socket ends is told to `_hear`.
                place.heard = time.monotonic()

    def _bury(self, place: _Place, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            if time.monotonic() < place.ends:
                return
            process.kill()
        code = process.wait()
        lived = time.monotonic() - place.began
        place.deaths = place.deaths + 1 if lived < _YOUNG else 0
        delay = _DELAYS[min(place.deaths, len(_DELAYS) - 1)]
        place.due = time.monotonic() + delay
        place.process = place.state = None
        place.came.clear()
        place.goes.clear()
        if not self._listening:
            raise Unavailable(f"a worker ended with exit code {code} before it listened")
        words = "worker %s ended with code %s: the next starts in %g s"
        self._log.warning(words, process.pid, code, delay)

    def _tell(self) -> None:
        for place in self._places:
            self._say(place)

    def _say(self, place: _Place) -> None:
        """Tell a worker of the others."""
        if place.control is None:
            return
        if not place.goes:
            states = [each.state for each in self._places if each.state is not None]
            others = [state for state in states if state is not place.state]
            starting = len(self._places) - len(others) - 1
            said = {
                "others": others,
                "starting": starting,
                "vacant": [each.number for each in self._places if each.vacant],
            }
            place.goes += orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
        try:
            # What it does not take now it gets with the next tick, and nothing new before.
            del place.goes[: place.control.send(place.goes)]
        except OSError:
            return

    def _end(self) -> None:
        """Let every worker finish, and end what does not."""
        self._stopping = True
        for place in self._places:
            place.listener.close()
        running = [place.process for place in self._places if place.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self._settings.drain_seconds + _GRACE
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._log.warning("worker %s does not end and is killed", process.pid)
                process.kill()
                process.wait()
        for place in self._places:
            if place.control is not None:
                place.control.close()
            place.slot.close()
