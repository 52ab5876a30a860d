"""One HTTP request and its answer: the body read within limits, the answer sent."""

from __future__ import annotations

from collections.abc import Awaitable

import orjson

from interlock_serving.http.asgi import BODY, BYTES, JSON, Header, Receive, Scope, Send
from interlock_serving.http.ids import new_id
from interlock_serving.http.request import BINARY, request_of

REQUEST_ID = b"x-request-id"


class HTTPError(Exception):
    """An answer that is an error.

    Args:
        status: the HTTP status code.
        why: one sentence for a person.
        headers: more headers of the answer.
    """

    def __init__(self, status: int, why: str, *headers: Header) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = headers


class Exchange:
    """A request as it arrives.

    Attributes:
        request: what its header says.
        request_id: the client's, or one made here; a body may name another.
        json_bytes: how many bytes of the answer are JSON, where others stand behind them.
    """

    __slots__ = ("_body", "_receive", "_send", "json_bytes", "request", "request_id")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request = request_of(scope)
        self._body: bytes | None = scope.get(BODY)
        self._receive = receive
        self._send = send
        self.json_bytes: int | None = None
        self.request_id = self.request.id or new_id()

    def body(self, *, at_most: int) -> bytes | None:
        """The body, where it came with its header; None where it is still to be read.

        Raises:
            HTTPError: 415, it is not plain; 413, it is larger than ``at_most`` bytes.
        """
        request = self.request
        if request.unread:
            raise HTTPError(415, request.unread)
        # A body that is too large is left to the connection, which swallows what still comes:
        # closing while bytes arrive would reset it and may take the answer with it.
        if request.length > at_most:
            raise _too_large(at_most)
        return self._body

    async def read_body(self, *, at_most: int) -> bytes:
        """The body, once it arrived; how long that may take is the connection's to say.

        Raises:
            HTTPError: 413, it is larger than ``at_most`` bytes; 400, it ends too early.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise HTTPError(400, "the body ends too early")
            body: bytes = message["body"]
            size += len(body)
            if size > at_most:
                raise _too_large(at_most)
            if not message["more_body"]:
                return b"".join([*parts, body]) if parts else body
            parts.append(body)

    def answer(self, status: int, content: bytes, *headers: Header) -> Awaitable[None]:
        """Send the answer, in JSON or with bytes behind it."""
        return self._send(status, headers_of(self.request_id, self.json_bytes, *headers), content)

    async def refuse(self, status: int, why: str, *headers: Header) -> None:
        """Send an answer that is an error."""
        await self.answer(status, told(why), *headers)


def headers_of(request_id: str, json_bytes: int | None, *more: Header) -> tuple[Header, ...]:
    """The headers of an answer.

    Args:
        request_id: as it names the request.
        json_bytes: how many bytes of it are JSON, where others stand behind them.
        more: headers besides.
    """
    name = (REQUEST_ID, request_id.encode("ascii"))
    if json_bytes is None:
        return (JSON, name, *more)
    return (BYTES, name, (BINARY, b"%d" % json_bytes), *more)


def told(why: str) -> bytes:
    """The body of an answer that is an error."""
    return orjson.dumps({"error": why})


def _too_large(at_most: int) -> HTTPError:
    return HTTPError(413, f"the body has more than {at_most} bytes")
