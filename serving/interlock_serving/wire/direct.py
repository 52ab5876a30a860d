"""Requests for scores that need no coroutine: their header is known, and their body is there.

Such a request waits for its model and for nothing else. So it is read on the spot, and whoever
hands over its answer writes it. What is said of it is what is said of any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from interlock_hookspecs import Unavailable
from interlock_serving.http.asgi import BYTES, JSON, Scope
from interlock_serving.http.exchange import REQUEST_ID, HTTPError, headers_of, told
from interlock_serving.http.ids import new_id
from interlock_serving.http.request import BINARY, Request
from interlock_serving.v2.binary import Body
from interlock_serving.wire.cycle import head_of

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    from interlock_serving.app import App
    from interlock_serving.layers.access import Access
    from interlock_serving.layers.observe import Watch
    from interlock_serving.v2.answers import Answer
    from interlock_serving.wire.heads import Head

_FOUND = 200
_ANSWER = b"%b%b: %b\r\n%b: %%b\r\n"
_AS_JSON = _ANSWER % (STATUS_LINE[_FOUND], *JSON, REQUEST_ID) + b"content-length: %d\r\n\r\n%b"
_AS_BYTES = (
    _ANSWER % (STATUS_LINE[_FOUND], *BYTES, REQUEST_ID)
    + BINARY
    + b": %d\r\ncontent-length: %d\r\n\r\n%b"
)


class Direct:
    """How such requests are answered.

    Args:
        app: what reads them and writes their answers.
        access: who may ask; None where everybody may.
        watch: begins to watch a request, by its scope and, where it is known, its route; None where
            nobody is told of answers.
    """

    def __init__(self, app: App, access: Access | None, watch: Callable[..., Watch] | None) -> None:
        self.app = app
        self.access = access
        self.watch = watch

    def refusal(self, scope: Scope) -> HTTPError | None:
        """Why whoever asks may not; None where they may."""
        if self.access is None:
            return None
        # Not before: a server that lets everybody in begins without it.
        from interlock_serving.layers.access import admit

        refusal = admit(self.access, scope, "infer")
        if refusal is None:
            return None
        return HTTPError(refusal.status, refusal.why, *refusal.headers)

    def takes(self, request: Request) -> bool:
        """Whether requests with this header are such."""
        return (
            request.method == "POST"
            and not request.unread
            and request.length <= self.app.max_body
            and self.app.scores(request)
        )


class DirectCycle:
    """One of these requests, as its connection and its model's queue know requests.

    Args:
        direct: how it is answered.
        connection: which it is on.
        head: its header.
        keep_alive: whether the connection stays open afterwards.
    """

    __slots__ = (
        "_asked",
        "_connection",
        "_direct",
        "_done",
        "_head",
        "_timer",
        "_watch",
        "disconnected",
        "keep_alive",
        "request",
        "request_id",
        "response_complete",
    )

    def __init__(
        self, direct: Direct, connection: HttpToolsProtocol, head: Head, *, keep_alive: bool
    ) -> None:
        self._direct = direct
        self._connection = connection
        self._head = head
        self._asked: Any = None
        self._done = self.response_complete = self.disconnected = False
        self._timer: asyncio.TimerHandle | None = None
        self.keep_alive = keep_alive
        self.request = request = head.request
        self.request_id = request.id or new_id()
        self._watch = None if direct.watch is None else direct.watch(head.scope)

    @property
    def message_event(self) -> DirectCycle:
        """Itself: uvicorn calls its set(), and nothing else of it."""
        return self

    def set(self) -> None:
        """The connection is gone: there is nobody to tell."""

    def begin(self, body: Body) -> None:
        """Put the request into its model's queue; one that cannot be is refused."""
        direct = self._direct
        self._connection.tasks.add(self)  # type: ignore[arg-type]  # waited for at the end, and cancelled
        try:
            if direct.access is not None and (refusal := direct.refusal(self._head.scope)):
                raise refusal  # noqa: TRY301  (told as others are)
            self._asked = asked = direct.app.understand(self, body)
            self._timer = asked.model.put(asked.query, self, asked.seconds)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is answered)
            self.set_exception(error)

    def cancel(self, **_: Any) -> None:
        """Stop waiting: the server ends."""
        self.keep_alive = False
        # Later: the tasks of the server, one of which this is, are being gone through.
        self._connection.loop.call_soon(self._give_up)

    def _give_up(self) -> None:
        if not self._done:
            self.set_exception(Unavailable("the server ends"))

    # What a queue knows of who waits.

    def done(self) -> bool:
        """Whether it was answered."""
        return self._done

    def set_result(self, answer: Answer) -> None:
        """Send what the model said."""
        asked, self._asked = self._asked, None  # its rows' memory is the next request's
        try:
            json_bytes, content = self._direct.app.said(asked, answer)
        except Exception as error:  # noqa: BLE001  (a fault of ours is answered, and others go on)
            self.set_exception(error)
            return
        name = self.request_id.encode("ascii")
        if not self.keep_alive:
            headers = headers_of(self.request_id, json_bytes)
            message = head_of(_FOUND, headers, len(content), keep_alive=False) + content
        elif json_bytes is None:
            message = _AS_JSON % (name, len(content), content)
        else:
            message = _AS_BYTES % (name, json_bytes, len(content), content)
        self._send(_FOUND, message, len(content))

    def set_exception(self, error: Exception) -> None:
        """Send why there is no answer."""
        refusal = self._direct.app.refusal(error, self.request_id)
        content = told(refusal.why)
        headers = headers_of(self.request_id, None, *refusal.headers)
        head = head_of(refusal.status, headers, len(content), keep_alive=self.keep_alive)
        self._send(refusal.status, head + content, len(content))

    def _send(self, status: int, message: bytes, size: int) -> None:
        connection = self._connection
        self._done = self.response_complete = True
        connection.tasks.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if not (self.disconnected or connection.transport.is_closing()):
            connection.transport.write(message)
            if not self.keep_alive:
                connection.transport.close()
            connection.on_response_complete()
        if self._watch is not None:
            try:
                self._watch.end(status, size, self.request_id)
            except Exception:  # answers of others may wait for this to return
                self._direct.app.log.exception("request %s was not noted", self.request_id)
