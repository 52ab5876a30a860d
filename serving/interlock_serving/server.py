"""The process's side: a socket, uvicorn, signals, changes of targets, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import uvicorn

from interlock_hookspecs import CaptureSink, Endpoint, OpenTarget, TargetFeed
from interlock_serving.app import App
from interlock_serving.layered import layered
from interlock_serving.models.batching import Batcher
from interlock_serving.models.private import private
from interlock_serving.models.routing import Router, dropped, route
from interlock_serving.wire.limits import Guard, guarded
from interlock_serving.wire.listening import BACKLOG, address_of, claim, listen, port_taken_over
from interlock_serving.wire.tls import renew, server_context
from interlock_serving.workers.peers import Peers, Worker
from interlock_serving.workers.signals import heard
from interlock_serving.workers.totals import Totals

if TYPE_CHECKING:
    import logging

    from interlock_serving.rpc.front import Front
    from interlock_serving.settings import ServerSettings

_RECORD_SECONDS = 5.0
_ARROW_SECONDS = 0.1
_TURN_SECONDS = 0.0005
"""How long a thread has the interpreter while the loop waits for it. Python's 5 ms are a hundred
answers long."""


class EndpointServer:
    """An endpoint served from this process.

    Args:
        settings: of the plugin.
        endpoint: which endpoint.
        feed: what to serve, now and from then on.
        captures: where answers are recorded.
        log: told of faults.
        worker: what a supervisor gave this process, where it is one of several.
    """

    def __init__(
        self,
        settings: ServerSettings,
        endpoint: Endpoint,
        feed: TargetFeed,
        captures: CaptureSink,
        log: logging.Logger,
        worker: Worker | None = None,
    ) -> None:
        self._worker = worker
        self._peers = Peers()
        self._settings = settings
        self._feed = feed
        self._captures = private(settings, captures)
        self._log = log
        self._app = App(
            endpoint=endpoint,
            log=log,
            problem=lambda: feed.problem,
            lost=lambda: captures.lost,
            max_body=settings.max_body,
            max_rows=settings.max_rows,
        )
        # A feed whose models are scored elsewhere says so while nobody is there.
        self._app.answers = lambda: getattr(feed, "answers", True)
        self._peers.readiness = self._app.readiness
        if worker is not None:
            self._peers.totals = Totals(worker.slots, worker.number)
            self._app.combined = self._peers.combined
        self._retired: list[Batcher] = []
        self._tls = server_context(settings)
        self._layered = layered(settings, self._app, self._peers)
        guard = _guard(settings)
        self._front = self._grpc(guard)
        spare = () if worker is None else worker.listeners
        self._server = _Server(
            self._config(guard), self._front, self._beginning, self._listening, spare
        )

    def run(self) -> None:
        """Serve until `stop`, SIGTERM, SIGINT or SIGHUP; the requests in flight are answered first.

        Signals are heard in a process's main thread only.

        Raises:
            Unavailable: the address is taken or is not this machine's.
        """
        with self._listener() as listener, _unswept(), _short_turns():
            self._server.run(sockets=[listener])
        # What was answered is still being recorded.
        self._retire(self._app.router, Router())
        deadline = time.monotonic() + min(self._settings.drain_seconds, _RECORD_SECONDS)
        for batcher in self._retired:
            batcher.join(max(0.0, deadline - time.monotonic()))
        self._layered.close()

    def _listener(self) -> socket.socket:
        if self._worker is not None:
            return self._worker.listener
        host, port = self._settings.host, self._settings.port
        port = claim(host, port, taken_over=port_taken_over(self._feed))
        # Shared, so that the next server can take its place before this one has ended.
        return listen(host, port, shared=True)

    def stop(self) -> None:
        """Begin to stop, from any thread; `run` returns when it is done."""
        self._server.should_exit = True

    def _grpc(self, guard: Guard) -> Front | None:
        """The server of gRPC, where it is set."""
        settings = self._settings
        if settings.grpc_port is None:
            return None
        from interlock_serving.rpc.calls import Calls
        from interlock_serving.rpc.front import Front

        secure = self._tls is not None
        calls = Calls(
            self._app,
            self._layered.access,
            self._layered.observers,
            seconds=settings.body_seconds,
            secure=secure,
        )
        beside = port_taken_over(self._feed) > 0
        return Front(settings, calls, guard, self._worker, self._log, beside=beside)

    def _config(self, guard: Guard) -> uvicorn.Config:
        settings = self._settings
        config = uvicorn.Config(
            self._layered.application,
            http=guarded(guard, self._layered.direct),
            ws="none",
            lifespan="off",
            interface="asgi3",
            # The log is the process's own; each malformed request would write a line to it.
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=settings.idle_seconds,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
        config.load()
        config.ssl = self._tls
        return config

    def _beginning(self) -> None:
        """Called on the event loop before connections are taken: the first one is answered."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            # From a thread of core's, and possibly after the end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._take_targets)

        # Watch first: a change between the two would go unseen.
        self._feed.watch(changed)
        self._take_targets()

    def _listening(self, listener: socket.socket) -> None:
        """Called on the event loop when connections are taken."""
        if self._front is not None:
            self._app.grpc = self._front.address
            self._log.info("gRPC at %s", self._app.grpc)
        if self._tls is not None:
            self._renewing = asyncio.create_task(renew(self._tls, self._settings, self._log))
        if self._worker is None:
            self._feed.started(address_of(listener, tls=self._tls is not None))
        else:
            talk = self._worker.talk(self._peers, self._server.cover, self.stop)
            self._talking = asyncio.create_task(talk)
        # To be ready needs no Arrow; most answers do, and so does the record. Whoever asks sooner
        # than this has it imported then.
        loop = asyncio.get_running_loop()
        loop.call_later(_ARROW_SECONDS, threading.Thread(target=_import_arrow, name="arrow").start)

    def _take_targets(self) -> None:
        before = self._app.router
        after = route(self._feed.current, before, self._start)
        self._app.router = after
        self._retire(before, after)
        self._log.info("serving %s", ", ".join(after.versions) or "nothing")

    def _start(self, target: OpenTarget) -> Batcher:
        settings = self._settings
        return Batcher(
            target,
            self._captures,
            self._log,
            batch_rows=settings.batch_rows,
            queue_rows=settings.queue_rows,
            answer_seconds=settings.answer_seconds,
            max_concurrency=settings.max_concurrency,
        )

    def _retire(self, before: Router, after: Router) -> None:
        for batcher in dropped(before, after):
            batcher.close()
            self._retired.append(batcher)
        self._retired = [batcher for batcher in self._retired if batcher.is_alive()]


def _guard(settings: ServerSettings) -> Guard:
    return Guard(
        header_seconds=settings.header_seconds,
        body_seconds=settings.body_seconds,
        write_seconds=settings.write_seconds,
        max_connections=settings.max_connections,
        certificates=settings.tls_client_ca is not None,
    )


def _import_arrow() -> None:
    import pyarrow as pa  # noqa: F401  (for those who import it after)


@contextlib.contextmanager
def _unswept() -> Generator[None, None, None]:
    """Look for garbage in what requests leave only: libraries and models stay, and are a lot."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _short_turns() -> Generator[None, None, None]:
    """Let threads that score or record in Python keep the loop waiting for a moment only."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class _Server(uvicorn.Server):
    """uvicorn that tells before it listens and when it does; its `run` returns after a signal.

    It can take the connections of other workers, too, while those are away.

    uvicorn raises the signal again once it is done, which would end the process before core
    has written the last captures.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        front: Front | None,
        beginning: Callable[[], None],
        listening: Callable[[socket.socket], None],
        spare: Sequence[socket.socket],
    ) -> None:
        super().__init__(config)
        self._front = front
        self._tell_beginning = beginning
        self._tell_listening = listening
        self._spare = spare
        self._covered: dict[int, asyncio.AbstractServer] = {}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._tell_beginning()
        if self._front is not None:
            await self._front.start()
        await super().startup(sockets=sockets)
        self._tell_listening((sockets or [])[0])

    async def cover(self, vacant: frozenset[int]) -> None:
        """Take the connections of these workers, and of no others, beside the own.

        Several may do so for one: whoever is first has the connection.
        """
        for number in self._covered.keys() - vacant:
            self._covered.pop(number).close()
        for number in vacant - self._covered.keys():
            if self.should_exit:
                return
            self._covered[number] = await asyncio.get_running_loop().create_server(
                self._protocol,
                sock=self._spare[number].dup(),
                ssl=self.config.ssl,
                backlog=self.config.backlog,
            )

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn makes them
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self._covered.values():
            server.close()
        # As long as one process holds it, a socket takes connections.
        ended = super().shutdown(sockets=[*(sockets or []), *self._spare])
        if self._front is None:
            await ended
        else:
            await asyncio.gather(ended, self._front.stop())

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with heard(self.handle_exit):
            yield
