"""What uvicorn lacks to stand hostile clients, as hooks around its HTTP protocol.

A request's header must arrive in time and in a bounded size, an answer must be taken in time,
requests sent ahead are counted, and connections are bounded: where they run out, one that has no
request in progress is closed in favour of the new one.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

import attrs
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from interlock_serving.http.asgi import NO_METHOD, PEER, REFUSED, UNREAD, Scope
from interlock_serving.http.exchange import REQUEST_ID
from interlock_serving.http.ids import new_id
from interlock_serving.wire.connection import Connection
from interlock_serving.wire.cycle import Cycle
from interlock_serving.wire.direct import Direct
from interlock_serving.wire.tls import peer_name

HEADER_BYTES = 64 * 1024
_SPARE_FILES = 128


@attrs.frozen
class Guard:
    """Limits of connections; seconds, and a number of connections.

    Attributes:
        certificates: whether clients are known by certificates.
    """

    header_seconds: float
    body_seconds: float
    write_seconds: float
    max_connections: int
    certificates: bool = False

    @property
    def connections(self) -> int:
        """As many as are wanted, or as the process may open beside its other files."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            return self.max_connections
        return max(1, min(self.max_connections, files - _SPARE_FILES))


class GuardedProtocol(Connection):
    """A connection with a `Guard`."""

    guard: ClassVar[Guard]

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._deadline: asyncio.TimerHandle | None = None
        self._write_deadline: asyncio.TimerHandle | None = None
        self._deadline_of = 0
        self._header = 0
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count a new connection, and give its first header a deadline."""
        super().connection_made(transport)
        if self.guard.certificates:
            peer = peer_name(transport.get_extra_info("ssl_object"))
            self.extras = {} if peer is None else {PEER: peer}
        if len(self.connections) > self.guard.connections:
            self._make_room()
        self._time(self.guard.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what was timed."""
        self._stop_deadline()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; where that leaves a header unfinished, time and measure it."""
        before = self.cycle
        super().data_received(data)
        if self._deadline is not None and self._deadline_of != self.reached:
            self._stop_deadline()
        if self.transport.is_closing():
            return
        if self.in_header:
            # Where in its first chunk a header begins is not known: a body may stand before it.
            self._header_bytes = self._header_bytes + len(data) if self._header == self.begun else 0
            self._header = self.begun
            if self._header_bytes > HEADER_BYTES:
                self._refuse(431, f"the header has more than {HEADER_BYTES} bytes")
                return
        if self.in_body:
            self._time(self.guard.body_seconds)
        elif self.in_header or (self.cycle is before and self.is_idle):
            # The second: bytes that begin no request, line feeds say.
            self._time(self.guard.header_seconds)

    def on_response_complete(self) -> None:
        """An answer was given; where the next request was sent ahead, it has its time from now."""
        if self._deadline is not None:
            self._stop_deadline()
        super().on_response_complete()
        if self.in_body and not self.transport.is_closing():
            self._time(self.guard.body_seconds)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in JSON as everything else."""
        self._refuse(400, msg)

    def pause_writing(self) -> None:
        """The client does not take its answer: time it."""
        super().pause_writing()
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(
                self.guard.write_seconds, self.transport.abort
            )

    def resume_writing(self) -> None:
        """The client takes its answer."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _time(self, seconds: float) -> None:
        # Not started again by each byte: the whole header has this long, and so has the body.
        if self._deadline is None:
            self._deadline_of = self.reached
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.in_body and not self.pipeline and not self.is_idle:
            self._refuse(408, "the body did not arrive in time")
        elif not self.is_idle or self.pipeline:
            # What comes next is not read while a request is answered: not the client's delay.
            self._time(self.guard.header_seconds)
        elif self.in_header:
            self._refuse(408, "the header did not arrive in time")
        else:
            self.transport.close()

    def _make_room(self) -> None:
        others = [other for other in self.connections if other is not self]
        # One that never asked anything goes before one that keeps a connection for its next.
        for unused in (True, False):
            for other in others:
                if (
                    isinstance(other, GuardedProtocol)
                    and other.is_idle
                    and (other.cycle is None) is unused
                    and not other.transport.is_closing()
                ):
                    other.transport.abort()
                    return
        self._refuse(503, "too many connections")

    def _refuse(self, status: int, why: str) -> None:
        if self.transport.is_closing():
            return
        body = b'{"error":"%s"}' % why.encode("ascii", "replace").replace(b'"', b"'")
        request_id = new_id()
        self.transport.write(
            STATUS_LINE[status] + b"content-type: application/json\r\nconnection: close\r\n"
            b"%b: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (REQUEST_ID, request_id.encode("ascii"), len(body), body)
        )
        self.transport.close()
        self._note(status, len(body), request_id)

    def _note(self, status: int, size: int, request_id: str) -> None:
        """Tell who is told of answers of this one; see `observe.Observation`."""
        watch = None if self.direct is None else self.direct.watch
        if watch is None:
            return
        cycle: Any = self.cycle
        if not self._is_awaited(cycle):
            scope: Scope = {
                "method": NO_METHOD,
                "path": "",
                "headers": [],
                "scheme": self.scheme,
                "client": self.client,
            }
            watch(scope, UNREAD).end(status, size, request_id)
        elif cycle.begun or cycle is self._next:
            # The application was asked, or is now, and is watched: it cannot know of this answer.
            cycle.scope[REFUSED] = (status, size, request_id)
        else:
            watch(cycle.scope).end(status, size, request_id)

    def _is_awaited(self, cycle: object) -> bool:
        """Whether this is the request whose body is arriving."""
        return (
            self.in_body
            and isinstance(cycle, Cycle)
            and cycle.more_body
            and not cycle.response_complete
        )


def guarded(guard: Guard, direct: Direct | None = None) -> type[GuardedProtocol]:
    """A protocol class with these limits, as uvicorn wants one.

    Args:
        guard: the limits.
        direct: how requests are answered that need no coroutine; None where all have one.
    """
    return type("GuardedProtocol", (GuardedProtocol,), {"guard": guard, "direct": direct})
