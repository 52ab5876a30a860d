"""The process's side: a socket, uvicorn, signals, changes of targets, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import uvicorn

from interlock_deploy_local.app import App
from interlock_deploy_local.batching import Batcher
from interlock_deploy_local.layers import layered
from interlock_deploy_local.limits import Guard, guarded
from interlock_deploy_local.private import private
from interlock_deploy_local.routing import Router, dropped, route
from interlock_deploy_local.tls import server_context
from interlock_hookspecs import CaptureSink, Endpoint, OpenTarget, TargetFeed, Unavailable

if TYPE_CHECKING:
    import logging

    from interlock_deploy_local import LocalServer

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_BACKLOG = 2048
_RECORD_SECONDS = 5.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (recognised, not listened on)


class LocalEndpoint:
    """An endpoint served from this process.

    Args:
        settings: the plugin.
        endpoint: which endpoint.
        feed: what to serve, now and from then on.
        captures: where answers are recorded.
        log: told of faults.
    """

    def __init__(
        self,
        settings: LocalServer,
        endpoint: Endpoint,
        feed: TargetFeed,
        captures: CaptureSink,
        log: logging.Logger,
    ) -> None:
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
        self._retired: list[Batcher] = []
        self._tls = server_context(settings)
        self._layered = layered(settings, self._app)
        self._server = _Server(self._config(), self._listening)

    def run(self) -> None:
        """Serve until `stop`, SIGTERM or SIGINT; the requests in flight are answered first.

        Signals are heard in a process's main thread only.

        Raises:
            Unavailable: the address is taken or is not this machine's.
        """
        listener = _listen(self._settings.host, self._settings.port)
        with listener:
            self._server.run(sockets=[listener])
        # What was answered is still being recorded.
        self._retire(self._app.router, Router())
        deadline = time.monotonic() + min(self._settings.drain_seconds, _RECORD_SECONDS)
        for batcher in self._retired:
            batcher.join(max(0.0, deadline - time.monotonic()))
        self._layered.close()

    def stop(self) -> None:
        """Begin to stop, from any thread; `run` returns when it is done."""
        self._server.should_exit = True

    def _config(self) -> uvicorn.Config:
        settings = self._settings
        guard = Guard(
            header_seconds=settings.header_seconds,
            body_seconds=settings.body_seconds,
            write_seconds=settings.write_seconds,
            max_connections=settings.max_connections,
            certificates=settings.tls_client_ca is not None,
        )
        config = uvicorn.Config(
            self._layered.application,
            http=guarded(guard),
            ws="none",
            lifespan="off",
            interface="asgi3",
            # The log is the process's own; each malformed request would write a line to it.
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=settings.idle_seconds,
            timeout_graceful_shutdown=settings.drain_seconds,
        )
        config.load()
        config.ssl = self._tls
        return config

    def _listening(self, listener: socket.socket) -> None:
        """Called on the event loop when connections are taken."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            # From a thread of core's, and possibly after the end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._take_targets)

        # Watch first: a change between the two would go unseen.
        self._feed.watch(changed)
        self._take_targets()
        self._feed.started(_address(listener, "http" if self._tls is None else "https"))

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
        )

    def _retire(self, before: Router, after: Router) -> None:
        for batcher in dropped(before, after):
            batcher.close()
            self._retired.append(batcher)
        self._retired = [batcher for batcher in self._retired if batcher.is_alive()]


class _Server(uvicorn.Server):
    """uvicorn that tells when it listens, and whose `run` returns after a signal.

    uvicorn raises the signal again once it is done, which would end the process before core
    has written the last captures.
    """

    def __init__(self, config: uvicorn.Config, listening: Callable[[socket.socket], None]) -> None:
        super().__init__(config)
        self._tell_listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._tell_listening((sockets or [])[0])

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[signal.Signals, Any] = {
            number: signal.signal(number, self.handle_exit) for number in _SIGNALS
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise Unavailable(f"deploy-local: no address {host!r} here: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listening now, not later in the loop, so that a taken port is seen here on every system.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"deploy-local: cannot listen on {host}:{port}: {error.strerror}; "
            "set another port, or 0 for a free one"
        ) from error
    return listener


def _address(listener: socket.socket, scheme: str) -> str:
    """Where clients on this machine reach the listener."""
    host, port = listener.getsockname()[:2]
    host = _WILDCARDS.get(host, host)
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
