"""The application of an endpoint: which path does what."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from interlock_hookspecs import Endpoint, InvalidInput, NotFound, PluginError, Unavailable
from interlock_serving.answers import Answer
from interlock_serving.asgi import Receive, Scope, Send
from interlock_serving.batching import Batcher
from interlock_serving.binary import split, wanted, write_binary
from interlock_serving.exchange import Exchange, HTTPError
from interlock_serving.forms import Form, Forms
from interlock_serving.matrix import Values
from interlock_serving.protocol import (
    Envelope,
    Query,
    TooLarge,
    metadata,
    nearest,
    read_columns,
    read_envelope,
    read_outputs,
    shown,
    sticky_share,
    write_answer,
)
from interlock_serving.records import read_records, write_records
from interlock_serving.request import BINARY, Request
from interlock_serving.routing import Draws, Router
from interlock_serving.waiting import Expired, Overloaded

if TYPE_CHECKING:
    import logging

_STATUSES: tuple[tuple[type[PluginError], int], ...] = (
    (TooLarge, 413),
    (InvalidInput, 400),
    (NotFound, 404),
    (Overloaded, 429),
    (Unavailable, 503),
    (Expired, 504),
)
Reader = Callable[..., tuple[int, Values]]
_RETRY = (b"retry-after", b"1")
_OF_SERVER = ("/v2", "/v2/health/live", "/v2/health/ready")
_SCORING = ("infer", "batch")
STICKY_HEADER = b"x-sticky-key"
_FOUND = 200
_DOWN = 503


@attrs.define(eq=False)
class App:
    """What answers the requests of one endpoint.

    Attributes:
        endpoint: its name is the model's name in paths.
        log: told of faults.
        problem: says why the targets may be out of date; empty where all is well.
        lost: says how many captures were lost.
        max_body: bytes.
        max_rows: rows of a request.
        router: what is served now; replaced as a whole, on the event loop's thread.
        mirrors_skipped: copies of requests that no mirror took.
        grpc: the address of gRPC, where it is served; for whoever asks for readiness.
        combined: makes of this process's readiness the endpoint's, where it has several.
        answers: says whether what is served can be scored now.
    """

    endpoint: Endpoint
    log: logging.Logger
    problem: Callable[[], str]
    lost: Callable[[], int]
    max_body: int
    max_rows: int
    router: Router = attrs.field(factory=Router)
    mirrors_skipped: int = 0
    grpc: str = ""
    combined: Callable[[dict[str, Any]], dict[str, Any]] = attrs.field(default=dict)
    answers: Callable[[], bool] = attrs.field(default=lambda: True)
    _draws: Draws = attrs.field(factory=Draws, init=False)
    _forms: Forms = attrs.field(factory=Forms, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        try:
            asked = _asked_of(exchange.request.path, self.endpoint.name)
            if asked is not None and asked[1] in _SCORING:
                _require(exchange.request, "POST")
                content = await self._infer(exchange, asked[0], records=asked[1] == "batch")
                status = _FOUND
            else:
                status, content = self._describe(exchange.request, asked)
        except HTTPError as error:
            await exchange.refuse(error.status, str(error), *error.headers)
        except PluginError as error:
            status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)
            retry = (_RETRY,) if isinstance(error, Overloaded | Unavailable) else ()
            await exchange.refuse(status, str(error), *retry)
        except Exception as error:  # a fault of ours is answered and logged; the server goes on
            self.log.exception("request %s failed", exchange.request_id)
            await exchange.refuse(500, f"the server failed: {type(error).__name__}")
        else:
            await exchange.answer(status, content)

    def _describe(
        self, request: Request, asked: tuple[str | None, str] | None
    ) -> tuple[int, bytes]:
        if asked is None and request.path not in _OF_SERVER:
            raise NotFound("nothing is at this path: the protocol's paths begin with /v2")
        _require(request, "GET", "HEAD")
        status = _FOUND
        match asked or request.path:
            case (version, ""):
                value = self.metadata(version)
            case (version, _):
                late = self.router.asked_of(version).late
                value = {"name": self.endpoint.name, "ready": not late}
                status = _DOWN if late else _FOUND
            case "/v2":
                value = server()
            case "/v2/health/live":
                value = {"live": True}
            case _:
                value = self.combined(self.readiness())
                status = _FOUND if value["ready"] else _DOWN
        return status, orjson.dumps(value)

    async def _infer(self, exchange: Exchange, version: str | None, *, records: bool) -> bytes:
        body = exchange.body(at_most=self.max_body)
        if body is None:
            body = await exchange.read_body(at_most=self.max_body)
        header = exchange.request.header
        behind = None
        if binary_header := header(BINARY):
            body, behind = split(body, binary_header)
            known = None if records else self._known(exchange, version, body, behind)
            if known is not None:
                model, query, form = known
                answer = await model.ask(query)
                about = (exchange, model, answer, form.selected, form.binary)
                return self._written(*about)
        envelope = read_envelope(body, behind)
        if envelope.id is not None:
            exchange.request_id = envelope.id
        # From here to the queue nothing waits, so that a swap cannot come between.
        model = self.choose(envelope.sticky, version, header)
        read = read_records if records else read_columns
        query = self.read(envelope, model, exchange.request_id, read)
        selected = None if records else read_outputs(envelope, model.signature)
        binary = frozenset[str]() if records else wanted(envelope.body, model.outputs)
        if behind is not None and not records:
            self._forms.learn(body, envelope, query, model.signature, selected, binary)
        answer = await model.ask(query, envelope.seconds)
        self.mirror(envelope, query, model, read)
        if records:
            return write_records(self.endpoint.name, model.release, exchange.request_id, answer)
        return self._written(exchange, model, answer, selected, binary)

    def _known(
        self, exchange: Exchange, version: str | None, json: bytes, behind: memoryview
    ) -> tuple[Batcher, Query, Form] | None:
        """A request whose JSON came before; None where it has to be read."""
        form = self._forms.find(json)
        if form is None or self.router.mirrors:  # a mirror may read it otherwise
            return None
        model = self.choose(None, version, exchange.request.header)
        query = form.query(exchange.request_id, behind, model.signature)
        return None if query is None else (model, query, form)

    def _written(
        self,
        exchange: Exchange,
        model: Batcher,
        answer: Answer,
        selected: frozenset[str] | None,
        binary: frozenset[str],
    ) -> bytes:
        about = (self.endpoint.name, model.release, exchange.request_id, answer, selected)
        if binary:
            exchange.json_bytes, content = write_binary(*about, binary)
            return content
        return write_answer(*about)

    def metadata(self, version: str | None) -> dict[str, Any]:
        """What a version, or the endpoint without one, takes and gives, as the protocol says it.

        Raises:
            NotFound, Unavailable: no such version, or nothing is served.
        """
        model = self.router.asked_of(version)
        versions = self.router.versions if version is None else (model.release.id,)
        return metadata(self.endpoint.name, versions, model.format, model.columns, model.signature)

    def choose(
        self, sticky: float | None, version: str | None, header: Callable[[bytes], bytes]
    ) -> Batcher:
        """The model that answers a request.

        Args:
            sticky: what the request says of the version that it stays with, see `Envelope`.
            version: the one that it names, or None.
            header: gives a header of the request, empty where it has none.

        Raises:
            NotFound, Unavailable: no such version, or nothing is served.
        """
        router = self.router
        if version is not None:
            return router.version(version)
        if len(router.models) == 1:
            return router.choose(0.0)
        if sticky is None and (key := header(STICKY_HEADER)):
            sticky = sticky_share(key)
        return self._draws.next(router) if sticky is None else router.choose(sticky)

    def read(self, envelope: Envelope, model: Batcher, request_id: str, read: Reader) -> Query:
        """The rows of a request, as its model takes them.

        Raises:
            InvalidInput, TooLarge: they do not fit, which the model's tally counts.
        """
        try:
            rows, values = read(envelope, model.columns, max_rows=self.max_rows)
        except InvalidInput:
            model.tally.refused += 1
            raise
        return Query(request_id, rows, values)

    def mirror(self, envelope: Envelope, query: Query, model: Batcher, read: Reader) -> None:
        """Give each mirror a copy of a request that was answered."""
        for mirror in self.router.mirrors:
            copy = query
            if mirror.columns.fields != model.columns.fields:
                try:
                    _, values = read(envelope, mirror.columns, max_rows=self.max_rows)
                except InvalidInput:
                    mirror.tally.refused += 1
                    self.mirrors_skipped += 1
                    continue
                copy = Query(query.id, query.rows, values)
            self.mirrors_skipped += not mirror.tell(copy)

    def readiness(self) -> dict[str, Any]:
        """How this process is: what it serves, what is wrong, what it counted."""
        router = self.router
        late = [model.release.id for model in router.models if model.late]
        ready = router.taking and not late and self.answers()
        reasons = [router.problem, self.problem()]
        if not router.taking:
            reasons.append("no release is served here")
        reasons += [f"the model of {release} is late" for release in late]
        return {
            "ready": ready,
            "endpoint": self.endpoint.name,
            "project": self.endpoint.project,
            "stack": self.endpoint.stack,
            "serving": router.versions,
            "mirrors": [mirror.release.id for mirror in router.mirrors],
            "problem": "; ".join(filter(None, reasons)),
            "captures_lost": self.lost(),
            "mirrors_skipped": self.mirrors_skipped,
            "traffic": router.traffic(),
            "pid": os.getpid(),
            **({"grpc": self.grpc} if self.grpc else {}),
        }


def server() -> dict[str, Any]:
    """What this server is, as the protocol says it."""
    from importlib import metadata

    name = "interlock-serving"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {"name": name, "version": version, "extensions": ["binary_tensor_data"]}


@lru_cache(maxsize=64)  # most clients ask for one path; a long one is as long as a header may be
def _asked_of(path: str, name: str) -> tuple[str | None, str] | None:
    """The version that a path names, and what it asks of it; None where it asks for no model.

    Raises:
        NotFound: the model is another, or has nothing of that kind.
    """
    match path.split("/")[1:]:
        case ["v2", "models", found, *rest] if found == name:
            version = None
            if rest[:1] == ["versions"] and len(rest) > 1:
                version, rest = rest[1], rest[2:]
            if rest in ([], ["ready"], *([word] for word in _SCORING)):
                return version, "".join(rest)
            raise NotFound("a model has its metadata, ready, infer and batch; nothing else is here")
        case ["v2", "models", found, *_]:
            raise NotFound(f"no model {shown(found)} here{nearest(found, [name])}")
    return None


def _require(request: Request, *methods: str) -> None:
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise HTTPError(405, f"this path takes {allowed}", (b"allow", allowed.encode("ascii")))
