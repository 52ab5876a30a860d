"""A connection that reads requests, and starts answering them, for less than uvicorn's own.

What uvicorn does for each request is done once here where it can be: a request's scope is made in
one go, a header that came before is not parsed again, an answer is begun on the spot instead of by
a task, and a connection's idle time is looked at when it may have run out instead of being timed
anew after each answer.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from interlock_serving.http.asgi import BODY
from interlock_serving.v2.binary import Body
from interlock_serving.wire.cycle import Cycle
from interlock_serving.wire.direct import Direct, DirectCycle
from interlock_serving.wire.heads import Head, Heads

PIPELINED = 64
"""Requests that are sent ahead, at most."""
_NO_HTTP = "Invalid HTTP request received."
_TICK = 0.001
"""Seconds: what a loop's clock may be off by."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol; what is not here is as it has it.

    Attributes:
        begun: how many requests were.
        reached: how many ends of headers and of bodies were.
        in_header, in_body: what of a request is there in part.
        extras: more of each scope.
        direct: how requests are answered that need no coroutine; None where all have one.
    """

    direct: ClassVar[Direct | None] = None

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.begun = self.reached = 0
        self.in_header = self.in_body = False
        self.extras: dict[str, Any] = {}
        self._heads = Heads() if self.direct is None else Heads(self.direct.takes)
        self._next: Cycle | None = None
        self._head: Head | None = None
        self._missing = 0
        self._waits = False
        self._waits_since = 0.0
        # The version of a request that asks for another protocol, until its header is read again.
        self._upgrades = b""

    @property
    def is_idle(self) -> bool:
        """Whether no request is in progress."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, then begin to answer it."""
        if self._missing:
            data = self._fill(data)
        if not data:
            pass
        elif self.in_header or self.in_body or self.pipeline or not self.is_idle:
            self._parse(data)
        elif not self._is_known(data):
            begun, reached = self.begun, self.reached
            self._parse(data)
            if self.begun == begun + 1 and self.reached > reached:
                self._learn(data)
        cycle = self._next
        if cycle is not None:
            self._next = None
            cycle.start(self.app)

    def _parse(self, data: bytes) -> None:
        """Have the parser read what arrived.

        Who would rather speak another protocol asks so in a header (RFC 9110, 7.8), as clients of
        Java and ``curl --http2`` do, and sends the body all the same. The parser stops behind such
        a header: another is given it again without that wish, and what came after it.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stopped:
                if not self._upgrades:
                    self.send_400_response(_NO_HTTP)  # CONNECT: this is no proxy
                    return
                head = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self._upgrades)]
                head += [b"%b: %b" % line for line in self.headers if line[0] != b"upgrade"]
                data = b"\r\n".join([*head, b"", b""]) + data[stopped.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(
                    lenient_data_after_close=True
                )  # as uvicorn has
                self._upgrades = b""
                self.begun -= 1
            except httptools.HttpParserError:
                self.send_400_response(_NO_HTTP)
                return
            else:
                return

    def _is_known(self, data: bytes) -> bool:
        """Whether a request is there whose header came before; if so, it is taken."""
        head = self._heads.find(data)
        if head is None:
            return False
        self.begun += 1
        self.reached += 1
        self._waits = False
        self.expect_100_continue = False
        body = memoryview(data)[len(head.content) :]
        if len(body) < head.length:
            # It is small, and begun when it is there: an answer that waits for it costs more.
            self.cycle = Cycle(head.scope.copy(), self, keep_alive=True)
            self._head, self._missing = head, head.length
            self.in_body = True
        else:
            self._begin(head, body, None)
        return True

    def _fill(self, data: bytes) -> bytes:
        """Take what is missing of the body behind a known header; what is left over."""
        cycle: Any = self.cycle
        part = data[: self._missing]
        self._missing -= len(part)
        cycle.take(part)
        if not self._missing and self._head is not None:
            self.in_body = False
            self._begin(self._head, bytes(cycle.body), cycle)
        return data[len(part) :]

    def _begin(self, head: Head, body: Body, cycle: Cycle | None) -> None:
        """All of a request is there whose header was known.

        Args:
            head: its header.
            body: its body.
            cycle: what waited for the body, where that came later.
        """
        self.reached += 1
        keep_alive = cycle is None or cycle.keep_alive
        if head.direct and self.direct is not None and not self.flow.write_paused:
            directly = DirectCycle(self.direct, self, head, keep_alive=keep_alive)
            self.cycle = directly  # type: ignore[assignment]  # what uvicorn asks of one, it has
            directly.begin(body)
            return
        if cycle is None:
            self.cycle = cycle = Cycle(head.scope.copy(), self, keep_alive=True)
        scope: Any = cycle.scope
        cycle.body = scope[BODY] = bytes(body)
        cycle.more_body = False
        self._next = cycle

    def _learn(self, data: bytes) -> None:
        """Remember the header of a request that arrived alone; others may come."""
        cycle: Any = self._next
        if cycle is not None and cycle.keep_alive and not self.expect_100_continue:
            self._heads.learn(data, cycle.scope)

    def on_message_begin(self) -> None:
        """A request's first bytes are there."""
        self.begun += 1
        self.in_header = True
        self._waits = False
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """A request's header is there."""
        version = self.parser.get_http_version()
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._upgrades = version.encode("ascii")
            return
        self.reached += 1
        self.in_header = False
        self.in_body = True
        before: RequestResponseCycle | None = self.cycle  # None before the first request
        if len(self.pipeline) >= PIPELINED:
            raise ValueError(f"more than {PIPELINED} requests sent ahead")
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        self.scope = self._scope(version)  # type: ignore[assignment]  # with keys of ours
        self.cycle = cycle = Cycle(self.scope, self, keep_alive=keep_alive)
        if before is None or before.response_complete:
            self._next = cycle
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A part of a request's body is there."""
        cycle: Any = self.cycle
        if cycle.response_complete:
            return
        cycle.take(body)
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """A request is there as a whole."""
        if self._upgrades:
            return
        self.reached += 1
        self.in_body = False
        if self.cycle.response_complete:
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """An answer was given: the next request was sent ahead, or is waited for."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            # Later: each of many would begin within the one before.
            self.loop.call_soon(cycle.start, app)  # type: ignore[attr-defined]  # it is a Cycle
            return
        self._waits = True
        self._waits_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_at_idle_time_in(self.timeout_keep_alive)

    def _scope(self, version: str) -> dict[str, Any]:
        """The request as ASGI has it."""
        path, query = self.url, b""
        if not path.startswith(b"/") or b"?" in path or b"#" in path:
            parsed = httptools.parse_url(self.url)
            path, query = parsed.path, parsed.query or b""
        text = path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": self.parser.get_method().decode("ascii"),
            "root_path": self.root_path,
            "path": unquote(text) if "%" in text else text,
            "raw_path": path,
            "query_string": query,
            "headers": self.headers,
            **self.extras,
        }

    def _look_at_idle_time_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._look_at_idle_time)

    def _look_at_idle_time(self) -> None:
        self.timeout_keep_alive_task = None
        if not self._waits:
            return  # looked at again after the answer
        left = self._waits_since + self.timeout_keep_alive - self.loop.time()
        if left > _TICK:
            self._look_at_idle_time_in(left)
        else:
            self.timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        """Called for each piece that arrives: what has run out is looked at when it may have."""
