"""A request and its answer on a connection, for less than uvicorn's own: ASGI, and its protocol.

An answer leaves in one piece, and a body that has arrived is handed over without waiting. The
application is run on the spot, and again when what it waits for is there: not by a task, so that
what needs one (``asyncio.timeout``, say) makes its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

_DISCONNECT = {"type": "http.disconnect"}
_BODILESS = (204, 304)


class _Sent:
    """What is to be awaited where nothing is left to wait for: cheaper than a coroutine."""

    def __await__(self) -> Iterator[Any]:
        return iter(())


_SENT = _Sent()


class Cycle(RequestResponseCycle):
    """uvicorn's cycle with other ways in and out; its protocol reads and writes the attributes.

    Args:
        scope: what ASGI says of the request.
        protocol: whose connection it is on.
        keep_alive: whether the connection stays open afterwards.
    """

    body: Any = b""
    more_body = True
    disconnected = response_started = response_complete = False
    chunked_encoding: bool | None = None
    _answering: Coroutine[Any, Any, None]
    _awaited: Any = None
    _waiter: asyncio.Future[None] | None = None
    _given = False
    _head = b""
    _left: int | None = None

    def __init__(self, scope: Any, protocol: HttpToolsProtocol, *, keep_alive: bool) -> None:
        # Without super(): what it takes one by one is the protocol's, and nothing is logged here.
        self.scope = scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.on_response = protocol.on_response_complete
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.keep_alive = keep_alive
        self.message_event: Any = self  # uvicorn calls its set(), and nothing else of it
        self._tasks: set[Any] = protocol.tasks

    def start(self, app: Any) -> None:
        """Begin to answer."""
        self._tasks.add(self)  # uvicorn waits for them at the end, and cancels what stays
        self._answering = self.run_asgi(app)
        self._step(self._answering.send, None)

    def cancel(self, **_: Any) -> None:
        """Stop answering: the server ends."""
        self._step(self._answering.throw, asyncio.CancelledError())

    def _go_on(self, awaited: object) -> None:
        """What was waited for is there."""
        if awaited is self._awaited:
            self._step(self._answering.send, None)

    def _step(self, how: Callable[[Any], Any], value: object) -> None:
        """Answer until something is waited for."""
        try:
            self._awaited = awaited = how(value)
        except StopIteration:
            self._awaited = None
            self._tasks.discard(self)
        else:
            awaited._asyncio_future_blocking = False  # noqa: SLF001  (seen, as a task says)
            awaited.add_done_callback(self._go_on)

    def set(self) -> None:
        """Something has arrived, or the connection is gone."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Any:
        """The next part of the body, or that the client is gone."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not (self.disconnected or self.response_complete):
            if self.body or not (self.more_body or self._given):
                body, more = bytes(self.body), self.more_body
                self.body = b""
                self._given = not more
                return {"type": "http.request", "body": body, "more_body": more}
            self.flow.resume_reading()
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

    def send(self, message: Any) -> Any:
        """A part of the answer."""
        if self.flow.write_paused and not self.disconnected:
            return self._send_later(message)
        self._send(message)
        return _SENT

    async def _send_later(self, message: Any) -> None:
        await self.flow.drain()
        self._send(message)

    def _send(self, message: Any) -> None:
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        else:
            self._write(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, status: int, headers: Any) -> None:
        """Keep the head until the first part of the body is there."""
        if self.response_started:
            raise RuntimeError("an answer is begun twice")
        self.response_started = True
        self.waiting_for_100_continue = False
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        lines = 1 + len(headers)
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
            lines += 1
        if self._left is None and status not in _BODILESS and self.scope["method"] != "HEAD":
            self.chunked_encoding = True
            parts.append(b"transfer-encoding: chunked\r\n")
            lines += 1
        head = b"".join(parts)
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise RuntimeError("a header of the answer has a line of its own")
        self._head = head + b"\r\n"

    def _write(self, body: bytes, *, more: bool) -> None:
        if not self.response_started or self.response_complete:
            raise RuntimeError("a body without an answer that it is of")
        if self.scope["method"] == "HEAD":
            body, self._left = b"", 0
        elif self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        elif self._left is not None:
            self._left -= len(body)
        if self._left and (self._left < 0 or not more):
            raise RuntimeError("an answer of another length than its header says")
        self.transport.write(self._head + body)
        self._head = b""
        if not more:
            self.response_complete = True
            self.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
