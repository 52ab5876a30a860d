"""A request and its answer on a connection, for less than uvicorn's own.

An answer leaves in one piece, and a body that has arrived is handed over without waiting. The
application is run on the spot, and again when what it waits for is there: not by a task, so that
what needs one (``asyncio.timeout``, say) makes its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from interlock_serving.http.asgi import JSON, Header

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_DISCONNECT = {"type": "http.disconnect"}
_BODILESS = (204, 304)
_FAILED = (500, (JSON,), b'{"error":"the server failed"}')
_ENDING = (503, (JSON,), b'{"error":"the server ends"}')
"""What is answered where the application says nothing."""


def head_of(status: int, headers: Sequence[Header], length: int, *, keep_alive: bool) -> bytes:
    """The head of an answer, with the line that ends it.

    Args:
        status: of the answer.
        headers: of it, without its length.
        length: bytes of its body.
        keep_alive: whether the connection stays open afterwards.

    Raises:
        RuntimeError: a header is more than a line.
    """
    parts = [STATUS_LINE[status]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    lines = 2 + len(headers)
    if status not in _BODILESS:
        parts.append(b"content-length: %d\r\n" % length)
        lines += 1
    if not keep_alive:
        parts.append(b"connection: close\r\n")
        lines += 1
    head = b"".join((*parts, b"\r\n"))
    if head.count(b"\n") != lines or head.count(b"\r") != lines:
        raise RuntimeError("a header of the answer has a line of its own")
    return head


class _Sent:
    """What is to be awaited where nothing is left to wait for: cheaper than a coroutine."""

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]  # as good as a generator to who awaits


_SENT = _Sent()


class Cycle(RequestResponseCycle):
    """uvicorn's cycle with other ways in and out; its protocol reads and writes the attributes.

    Args:
        scope: what ASGI says of the request.
        connection: which it is on.
        keep_alive: whether the connection stays open afterwards.
    """

    body: Any = b""
    more_body = True
    disconnected = response_complete = False
    _awaited: Any = None
    _waiter: asyncio.Future[None] | None = None
    _given = False

    def __init__(self, scope: Any, connection: HttpToolsProtocol, *, keep_alive: bool) -> None:
        # Without super(): what it takes one by one is the connection's, and nothing is logged here.
        self.scope = scope
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = connection.expect_100_continue
        self._connection = connection
        self._answering: Coroutine[Any, Any, None] | None = None

    @property
    def message_event(self) -> Any:  # type: ignore[override]  # it is set by nobody
        """Itself: uvicorn calls its set(), and nothing else of it."""
        return self  # not kept: who refers to itself is freed, with its body, by the collector only

    @property
    def begun(self) -> bool:
        """Whether the application is answering."""
        return self._answering is not None

    def start(self, app: Any) -> None:
        """Begin to answer."""
        self._connection.tasks.add(self)  # type: ignore[arg-type]  # waited for at the end, and cancelled
        self._answering = answering = app(self.scope, self.receive, self.send)
        self._step(answering.send, None)

    def cancel(self, **_: Any) -> None:
        """Stop answering: the server ends."""
        # Later: who says so goes through the set that this is taken out of then.
        self._connection.loop.call_soon(self._cancel)

    def _cancel(self) -> None:
        if self._answering is not None:
            self._step(self._answering.throw, asyncio.CancelledError())

    def _go_on(self, awaited: object) -> None:
        """What was waited for is there."""
        if awaited is self._awaited and self._answering is not None:
            self._step(self._answering.send, None)

    def _step(self, how: Callable[[Any], Any], value: object) -> None:
        """Answer until something is waited for."""
        try:
            self._awaited = awaited = how(value)
        except StopIteration:
            self._end(None)
        except BaseException as error:  # noqa: BLE001  (whatever an application raises is answered)
            self._end(error)
        else:
            awaited._asyncio_future_blocking = False  # noqa: SLF001  (seen, as a task says)
            awaited.add_done_callback(self._go_on)

    def _end(self, error: BaseException | None) -> None:
        self._awaited = self._answering = None
        self._connection.tasks.discard(self)
        if error is None and (self.response_complete or self.disconnected):
            return
        self._connection.logger.error("a request was not answered", exc_info=error)
        if self.response_complete:
            self._connection.transport.close()
        else:
            self.keep_alive = False
            ends = isinstance(error, asyncio.CancelledError)
            self._write(*(_ENDING if ends else _FAILED))

    def set(self) -> None:
        """Something has arrived, or the connection is gone."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Any:
        """The next part of the body, or that the client is gone."""
        connection = self._connection
        if self.waiting_for_100_continue and not connection.transport.is_closing():
            connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not (self.disconnected or self.response_complete):
            if self.body or not (self.more_body or self._given):
                body, more = bytes(self.body), self.more_body
                self.body = b""
                self._given = not more
                return {"type": "http.request", "body": body, "more_body": more}
            connection.flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return _DISCONNECT

    def take(self, part: bytes) -> None:
        """A part of the body has arrived."""
        if not self.body:
            self.body = part  # and mostly all of it, which is then handed over as it is
        elif isinstance(self.body, bytes):
            self.body = bytearray(self.body) + part
        else:
            self.body += part
        self.set()

    def send(  # type: ignore[override]  # in one piece
        self, status: int, headers: Sequence[Header], body: bytes
    ) -> Awaitable[None]:
        """The answer; see `interlock_serving.http.asgi.Send`.

        Raises:
            RuntimeError: there was one already, or a header is more than a line.
        """
        if self._connection.flow.write_paused and not self.disconnected:
            return self._send_later(status, headers, body)
        self._write(status, headers, body)
        return _SENT

    async def _send_later(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        await self._connection.flow.drain()
        self._write(status, headers, body)

    def _write(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        connection = self._connection
        if self.disconnected or connection.transport.is_closing():
            # uvicorn says so to the request that was read last, and not to those before it.
            self.disconnected = True
            return
        if self.response_complete:
            raise RuntimeError("a request is answered twice")
        head = head_of(status, headers, len(body), keep_alive=self.keep_alive)
        self.response_complete = True
        self.waiting_for_100_continue = False
        sent = b"" if self.scope["method"] == "HEAD" else body
        connection.transport.write(head + sent)
        self.set()
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()
