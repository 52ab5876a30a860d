"""The layer that watches requests: what was asked, what came of it, how long it took."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import attrs

from interlock_serving.http.asgi import ASGI, CALLER, REFUSED, Header, Receive, Scope, Send

_KNOWN = frozenset(
    {"/v2", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs", "/metrics"}
)
_OF_MODEL = frozenset({"", "/ready", "/infer", "/batch"})


@attrs.frozen
class Observation:
    """One request and its answer.

    Attributes:
        scope: the request, as ASGI has it.
        route: its path with names for what varies; "other" where nothing is, and "unread" where
            it was refused before its header was read.
        began: when it came, in nanoseconds since 1970.
        seconds: from its header to the end of its answer.
        status: of the answer; 0 where the connection ended first. Of a gRPC call the status of
            HTTP that its code stands for.
        size: bytes of the answer's body.
        request_id: as the answer names it.
        code: the name of a gRPC call's status code; empty of an HTTP request.
    """

    scope: Scope
    route: str
    began: int
    seconds: float
    status: int
    size: int
    request_id: str
    code: str = ""

    @property
    def caller(self) -> str:
        """Whose key or certificate let it in; empty where nobody's had to."""
        return str(self.scope.get(CALLER, ""))


Observer = Callable[[Observation], None]


class Watch:
    """A request from now on to its answer, of which all observers are told.

    Args:
        observers: who is told.
        scope: the request, as ASGI has it.
        route: its path with names for what varies, where that is known.
    """

    __slots__ = ("_began", "_observers", "_route", "_scope", "_started")

    def __init__(self, observers: Sequence[Observer], scope: Scope, route: str = "") -> None:
        self._observers = observers
        self._scope = scope
        self._route = route
        self._began, self._started = time.time_ns(), time.perf_counter()

    def end(self, status: int, size: int, request_id: str, code: str = "") -> None:
        """The answer was given; see `Observation`."""
        seen = Observation(
            scope=self._scope,
            route=self._route or route_of(self._scope["path"]),
            began=self._began,
            seconds=time.perf_counter() - self._started,
            status=status,
            size=size,
            request_id=request_id,
            code=code,
        )
        for observer in self._observers:
            observer(seen)


def observed(behind: ASGI, observers: Sequence[Observer]) -> ASGI:
    """What is behind, with each answer told to all observers once it is given."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        watch = Watch(observers, scope)
        status = size = 0
        request_id = ""

        def watched(given: int, headers: Sequence[Header], body: bytes) -> Awaitable[None]:
            nonlocal status, size, request_id
            status, size = given, len(body)
            request_id = _request_id(headers)
            return send(given, headers, body)

        try:
            await behind(scope, receive, watched)
        finally:
            if REFUSED in scope:
                status, size, request_id = scope[REFUSED]
            watch.end(status, size, request_id)

    return layer


def route_of(path: str) -> str:
    """A path with names for what varies, so that there are few.

    >>> route_of("/v2/models/employment/versions/release-7/infer"), route_of("/wp-admin")
    ('/v2/models/{model}/versions/{version}/infer', 'other')
    """
    if path in _KNOWN:
        return path
    parts = path.split("/")
    if parts[:3] == ["", "v2", "models"] and len(parts) > 3:  # noqa: PLR2004  (a model's name)
        rest = parts[4:]
        route = "/v2/models/{model}"
        if rest[:1] == ["versions"] and len(rest) > 1:
            rest = rest[2:]
            route += "/versions/{version}"
        end = "".join(f"/{part}" for part in rest)
        if end in _OF_MODEL:
            return route + end
    return "other"


def _request_id(headers: Sequence[Header]) -> str:
    return next((value.decode("ascii") for name, value in headers if name == b"x-request-id"), "")
