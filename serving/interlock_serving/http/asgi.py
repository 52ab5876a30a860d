"""What the connection, the layers and the application share: how a request is passed on.

As in ASGI, but that an answer is sent in one piece: none here is made in parts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

Scope = dict[str, Any]
Header = tuple[bytes, bytes]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[int, Sequence[Header], bytes], Awaitable[None]]
"""Sends an answer: its status, its headers without the body's length, and its body."""
ASGI = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]
"""An application, or a layer before one: it answers, or calls what is behind it."""

PEER = "interlock.peer"
"""In a scope: the name in the client's certificate, where one was verified."""
CALLER = "interlock.caller"
"""In a scope: who was let in, the name of a key or of a certificate."""
REQUEST = "interlock.request"
"""In a scope: what its header says, where that is known from one before: a `request.Request`."""
BODY = "interlock.body"
"""In a scope: the body, where it came with its header and may be had without waiting."""
REFUSED = "interlock.refused"
"""In a scope: what the connection answered while the body was awaited: a status, the bytes of the
answer's body, and the request's id."""
NO_METHOD = "_OTHER"
"""As OpenTelemetry names the method of a request that has none that is known."""
UNREAD = "unread"
"""The route of requests that are refused before their header is read."""

JSON: Header = (b"content-type", b"application/json")
BYTES: Header = (b"content-type", b"application/octet-stream")
