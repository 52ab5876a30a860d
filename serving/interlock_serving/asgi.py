"""What the layers before the application share: their type, and an answer of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from interlock_serving.exchange import Header, Receive, Send

Scope = dict[str, Any]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An application, or a layer before one: it answers, or calls what is behind it."""

PEER = "interlock.peer"
"""In a scope: the name in the client's certificate, where one was verified."""
CALLER = "interlock.caller"
"""In a scope: who was let in, the name of a key or of a certificate."""

JSON: Header = (b"content-type", b"application/json")


async def reply(send: Send, status: int, content: bytes, *headers: Header) -> None:
    """Send a whole answer."""
    length = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": content})
