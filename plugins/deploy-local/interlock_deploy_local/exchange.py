"""One HTTP request and its answer, over ASGI: the body read within limits, the answer sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from interlock_deploy_local.protocol import is_request_id

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


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
        self.headers = headers


class Exchange:
    """A request as it arrives.

    Attributes:
        request_id: the client's ``x-request-id``, or one made here; a body may name another.
    """

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        named = self.header(b"x-request-id").decode("latin-1")
        self.request_id = named if is_request_id(named) else os.urandom(16).hex()

    def header(self, name: bytes) -> bytes:
        """A header of the request, the last of its name; empty where it has none."""
        return self._headers.get(name, b"")

    async def read_json(self, *, at_most: int, seconds: float) -> bytes:
        """The body, once it arrived.

        Raises:
            HTTPError: 415, it is not plain JSON; 413, it is larger than ``at_most`` bytes; 408,
                it took longer.
        """
        self._check_kind()
        # A body that is too large is left to uvicorn, which swallows what still comes: closing
        # while bytes arrive would reset the connection and may take the answer with it.
        too_large = HTTPError(413, f"the body has more than {at_most} bytes")
        if int(self.header(b"content-length") or b"0") > at_most:
            raise too_large
        body = b""
        parts = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise HTTPError(400, "the body ends too early")
                    body = message["body"]
                    size += len(body)
                    if size > at_most:
                        raise too_large
                    parts.append(body)
                    if not message["more_body"]:
                        break
        except TimeoutError:
            why = "the body did not arrive in time"
            raise HTTPError(408, why, (b"connection", b"close")) from None
        return body if len(parts) == 1 else b"".join(parts)

    async def answer(self, status: int, content: bytes, *headers: Header) -> None:
        """Send the answer, in JSON."""
        always = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", self.request_id.encode("ascii")),
        ]
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*always, *headers]}
        )
        await self._send({"type": "http.response.body", "body": content})

    async def refuse(self, status: int, why: str, *headers: Header) -> None:
        """Send an answer that is an error."""
        await self.answer(status, orjson.dumps({"error": why}), *headers)

    def _check_kind(self) -> None:
        if self.header(b"inference-header-content-length"):
            raise HTTPError(415, "binary tensors are not understood: send the data as JSON")
        if self.header(b"content-encoding") not in (b"", b"identity"):
            raise HTTPError(415, "a compressed body is not understood: send it plain")
        kind = self.header(b"content-type").partition(b";")[0].strip().lower()
        if kind not in (b"", b"application/json"):
            raise HTTPError(415, "the content type is not application/json")
