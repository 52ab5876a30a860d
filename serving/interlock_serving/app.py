"""The application of an endpoint: which path does what."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import orjson

from interlock_hookspecs import Endpoint, InvalidInput, NotFound, PluginError, Unavailable
from interlock_serving.http.asgi import Receive, Scope, Send
from interlock_serving.http.exchange import Exchange, HTTPError
from interlock_serving.http.request import Request
from interlock_serving.models.batching import Batcher
from interlock_serving.models.routing import Draws, Router
from interlock_serving.models.waiting import Expired, Overloaded
from interlock_serving.v2.answers import Answer
from interlock_serving.v2.binary import Body, split, wanted
from interlock_serving.v2.forms import Forms
from interlock_serving.v2.matrix import Values
from interlock_serving.v2.protocol import (
    Envelope,
    Query,
    TooLarge,
    metadata,
    nearest,
    read_columns,
    read_envelope,
    read_outputs,
    shown,
)
from interlock_serving.v2.records import read_records, write_records
from interlock_serving.v2.writing import write_answer

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
_BATCH = "batch"
_SCORING = ("infer", _BATCH)
_READERS: tuple[Reader, Reader] = (read_columns, read_records)
"""Of tensors, and of records."""
_FOUND = 200
_FAULT = 500
_DOWN = 503


class Asking(Protocol):
    """A request on its way.

    Attributes:
        request: what its header says.
        request_id: its name.
    """

    request: Request
    request_id: str


@attrs.define(eq=False)
class Asked:
    """A request for scores that was read: its model answers it.

    Attributes:
        model: which.
        query: what it is asked.
        envelope: the request before its inputs were read; None where it was known.
        selected: the outputs that are asked for; None for all.
        binary: those of them that are wanted as bytes.
        records: whether rows came, and are answered, as records.
    """

    model: Batcher
    query: Query
    envelope: Envelope | None
    selected: frozenset[str] | None = None
    binary: frozenset[str] = frozenset()
    records: bool = False

    @property
    def seconds(self) -> float | None:
        """How long it may wait for its turn, or None for as long as it takes."""
        return None if self.envelope is None else self.envelope.seconds


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
                status, content = _FOUND, await self._infer(exchange)
            else:
                status, content = self._describe(exchange.request, asked)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is answered)
            refusal = self.refusal(error, exchange.request_id)
            await exchange.refuse(refusal.status, refusal.why, *refusal.headers)
        else:
            await exchange.answer(status, content)

    def _describe(
        self, request: Request, asked: tuple[str | None, str] | None
    ) -> tuple[int, bytes]:
        if asked is None and request.path not in _OF_SERVER:
            raise NotFound(
                "nothing is at this path: the protocol's begin with /v2, and /docs describes them"
            )
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

    async def _infer(self, exchange: Exchange) -> bytes:
        body = exchange.body(at_most=self.max_body)
        if body is None:
            body = await exchange.read_body(at_most=self.max_body)
        asked = self.understand(exchange, body)
        answer = await asked.model.ask(asked.query, asked.seconds)
        exchange.json_bytes, content = self.said(asked, answer)
        return content

    def refusal(self, error: Exception, request_id: str) -> HTTPError:
        """An error as it is answered; one that is a fault of ours is logged.

        Args:
            error: what was raised.
            request_id: of the request that met it.
        """
        if isinstance(error, HTTPError):
            return error
        if isinstance(error, PluginError):
            status = next((code for kind, code in _STATUSES if isinstance(error, kind)), _FAULT)
            retry = (_RETRY,) if isinstance(error, Overloaded | Unavailable) else ()
            return HTTPError(status, str(error), *retry)
        self.log.error("request %s failed", request_id, exc_info=error)
        return HTTPError(_FAULT, f"the server failed: {type(error).__name__}")

    def scores(self, request: Request) -> bool:
        """Whether a request asks for scores at one of the paths that give them."""
        try:
            asked = _asked_of(request.path, self.endpoint.name)
        except NotFound:
            return False
        return asked is not None and asked[1] in _SCORING

    def understand(self, asking: Asking, body: Body) -> Asked:
        """A request for scores, up to where its model answers it.

        Args:
            asking: the request; a name that its body has for it is then its name.
            body: as it came.

        Raises:
            PluginError: it is no such request, or nobody can answer it.
        """
        request = asking.request
        version, word = _asked_of(request.path, self.endpoint.name) or (None, "")
        records = word == _BATCH
        json, behind = split(body, request.json) if request.json else (body, None)
        if not records and (known := self._known(asking, version, json, behind)):
            return known
        envelope = read_envelope(json, behind)
        if envelope.id is not None:
            asking.request_id = envelope.id
        # From here to the queue nothing waits, so that a swap cannot come between.
        sticky = request.sticky if envelope.sticky is None else envelope.sticky
        model = self.choose(sticky, version)
        query = self.read(envelope, model, asking.request_id, _READERS[records])
        if records:
            return Asked(model, query, envelope, records=True)
        selected = read_outputs(envelope, model.signature)
        binary = wanted(envelope.body, model.outputs)
        self._forms.learn(json, envelope, query, model, selected, binary)
        return Asked(model, query, envelope, selected, binary)

    def _known(
        self, asking: Asking, version: str | None, json: Body, behind: memoryview | None
    ) -> Asked | None:
        """A request of a form that came before; None where it has to be read."""
        if self.router.mirrors:  # a mirror may read it otherwise
            return None
        found = self._forms.find(json, behind)
        if found is None:
            return None
        form, values = found
        model = self.choose(asking.request.sticky, version)
        query = form.query(asking.request_id, values, model.signature)
        return None if query is None else Asked(model, query, None, form.selected, form.binary)

    def said(self, asked: Asked, answer: Answer) -> tuple[int | None, bytes]:
        """What is sent of an answer, once mirrors have a copy of its request.

        Returns:
            How many of its bytes are JSON, where others stand behind them, and its bytes.
        """
        envelope, query, release = asked.envelope, asked.query, asked.model.release
        if self.router.mirrors and envelope is not None:
            self.mirror(envelope, query, asked.model, _READERS[asked.records])
        name = self.endpoint.name
        if asked.records:
            return None, write_records(name, release, query.id, answer)
        return write_answer(name, release, query.id, answer, asked.selected, asked.binary)

    def metadata(self, version: str | None) -> dict[str, Any]:
        """What a version, or the endpoint without one, takes and gives, as the protocol says it.

        Raises:
            NotFound, Unavailable: no such version, or nothing is served.
        """
        model = self.router.asked_of(version)
        versions = self.router.versions if version is None else (model.release.id,)
        return metadata(self.endpoint.name, versions, model.format, model.columns, model.signature)

    def choose(self, sticky: float | None, version: str | None) -> Batcher:
        """The model that answers a request.

        Args:
            sticky: what the request says of the version that it stays with, see `Envelope`.
            version: the one that it names, or None.

        Raises:
            NotFound, Unavailable: no such version, or nothing is served.
        """
        router = self.router
        if version is not None:
            return router.version(version)
        if sticky is not None or len(router.models) == 1:
            return router.choose(sticky or 0.0)
        return self._draws.next(router)

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
