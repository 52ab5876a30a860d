"""One HTTP request and its answer, over ASGI: the body read within limits, the answer sent."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from interlock_serving.protocol import is_request_id

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

_PLAIN = (b"application/json", b"")
_JSON: Header = (b"content-type", b"application/json")
_BYTES: Header = (b"content-type", b"application/octet-stream")
BINARY = b"inference-header-content-length"
"""The header that says how many bytes are JSON, where binary tensors stand behind them."""


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


def _named(headers: dict[bytes, bytes]) -> str:
    """The name that a client gave its request; empty where it gave none that is one."""
    given = headers.get(b"x-request-id")
    if given is None:
        return ""
    name = given.decode("latin-1")
    return name if is_request_id(name) else ""


class Exchange:
    """A request as it arrives.

    Attributes:
        request_id: the client's ``x-request-id``, or one made here; a body may name another.
        json_bytes: how many bytes of the answer are JSON, where others stand behind them.
    """

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self.json_bytes: int | None = None
        self.request_id = _named(self._headers) or os.urandom(16).hex()

    def header(self, name: bytes) -> bytes:
        """A header of the request, the last of its name; empty where it has none."""
        return self._headers.get(name, b"")

    async def read_body(self, *, at_most: int) -> bytes:
        """The body, once it arrived; how long that may take is the connection's to say.

        Raises:
            HTTPError: 415, it is not plain; 413, it is larger than ``at_most`` bytes; 400,
                it ends too early.
        """
        self._check_kind()
        # A body that is too large is left to the connection, which swallows what still comes:
        # closing while bytes arrive would reset it and may take the answer with it.
        too_large = f"the body has more than {at_most} bytes"
        if int(self.header(b"content-length") or b"0") > at_most:
            raise HTTPError(413, too_large)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise HTTPError(400, "the body ends too early")
            body: bytes = message["body"]
            size += len(body)
            if size > at_most:
                raise HTTPError(413, too_large)
            if not message["more_body"]:
                return b"".join([*parts, body]) if parts else body
            parts.append(body)

    async def answer(self, status: int, content: bytes, *headers: Header) -> None:
        """Send the answer, in JSON or with bytes behind it."""
        always = [
            _JSON if self.json_bytes is None else _BYTES,
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", self.request_id.encode("ascii")),
        ]
        if self.json_bytes is not None:
            always.append((BINARY, b"%d" % self.json_bytes))
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*always, *headers]}
        )
        await self._send({"type": "http.response.body", "body": content})

    async def refuse(self, status: int, why: str, *headers: Header) -> None:
        """Send an answer that is an error."""
        await self.answer(status, orjson.dumps({"error": why}), *headers)

    def _check_kind(self) -> None:
        if self.header(b"content-encoding") not in (b"", b"identity"):
            raise HTTPError(415, "a compressed body is not understood: send it plain")
        kind = self.header(b"content-type")
        if kind in _PLAIN or kind.partition(b";")[0].strip().lower() in _PLAIN:
            return
        if not self.header(BINARY):
            raise HTTPError(415, "the content type is not application/json")
