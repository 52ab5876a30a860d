"""The layer that describes the application behind it: ``/openapi.json`` and ``/docs``."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import orjson

from interlock_serving.http.asgi import ASGI, JSON, Header, Receive, Scope, Send
from interlock_serving.http.exchange import Exchange

if TYPE_CHECKING:
    from interlock_serving.app import App

ALLOW_GET: Header = (b"allow", b"GET, HEAD")
PATHS = ("/openapi.json", "/docs")
_HTML: Header = (b"content-type", b"text/html; charset=utf-8")


def pages(app: App, *, keys: bool) -> ASGI:
    """The application with its description before it, which says whether a key is needed."""

    def layer(scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        if scope["path"] in PATHS:
            if scope["method"] not in ("GET", "HEAD"):
                refusal = Exchange(scope, receive, send)
                return refusal.refuse(405, "this path takes GET, HEAD", ALLOW_GET)
            return _describe(app, scope, send, keys=keys)
        return app(scope, receive, send)

    return layer


async def _describe(app: App, scope: Scope, send: Send, *, keys: bool) -> None:
    # Looked for when somebody asks: a server that nobody reads about does not pay for it.
    from interlock_serving.layers.openapi import document

    described: dict[str, Any] = document(
        app.endpoint, app.router, max_rows=app.max_rows, max_body=app.max_body, keys=keys
    )
    if scope["path"] == "/docs":
        from interlock_serving.layers.page import POLICY, page

        policy = (b"content-security-policy", POLICY.encode("ascii"))
        await send(200, (_HTML, policy), page(described))
    else:
        await send(200, (JSON,), orjson.dumps(described))
