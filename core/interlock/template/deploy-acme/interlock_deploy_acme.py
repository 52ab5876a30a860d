"""A model server on the standard library's HTTP server, over the Open Inference Protocol V2."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import math
import operator
import random
import signal
import socketserver
import threading
import time
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import attrs

from interlock_hookspecs import (
    Capture,
    CaptureSink,
    Deployment,
    Endpoint,
    EndpointStatus,
    Field,
    InvalidInput,
    OpenTarget,
    Signature,
    TargetFeed,
    Traffic,
    Unavailable,
    decide,
    hookimpl,
    latency_cells,
    plugin,
    setting,
)

if TYPE_CHECKING:
    import logging

    import pyarrow as pa

    from interlock_hookspecs import Workspace

_SECONDS = 2.0


@plugin(contract="1.0")
class AcmeServer:
    """Serves released models from one process, a thread for each request."""

    host: str = setting("127.0.0.1", doc="the address to listen on; others than loopback reach it")
    port: int = setting(0, doc="the port to listen on; 0 takes a free one")
    max_body: int = setting(1_000_000, doc="bytes of a request's body, at most")
    seconds: float = setting(30.0, doc="seconds for a client to send a request")

    @hookimpl
    def serve_endpoint(
        self, endpoint: Endpoint, feed: TargetFeed, captures: CaptureSink, ws: Workspace
    ) -> None:
        service = _Service(endpoint, feed, captures, ws.log, self.max_body, self.seconds)
        try:
            server = _Server((self.host, self.port), service)
        except OSError as error:
            msg = f"cannot listen on {self.host}:{self.port}: {error.strerror}"
            raise Unavailable(msg) from error
        # Leaving the block waits for the requests in flight.
        with server, _until_told() as stopping:
            threading.Thread(target=server.serve_forever, args=(0.05,), name="accept").start()
            feed.started(f"http://{self.host}:{server.server_address[1]}")
            stopping.wait()
            server.shutdown()

    @hookimpl
    def endpoint_status(self, deployment: Deployment) -> EndpointStatus:
        try:
            said = _ask(deployment.address)
        except (OSError, http.client.HTTPException, ValueError) as error:
            detail = f"{deployment.address or 'no address'} does not answer: {error}"
            return EndpointStatus(live=False, ready=False, detail=detail)
        if said.get("of") != attrs.asdict(deployment.endpoint):
            detail = f"another server answers at {deployment.address}"
            return EndpointStatus(live=False, ready=False, detail=detail)
        return EndpointStatus(
            live=True,
            ready=bool(said["serving"]),
            serving=tuple(said["serving"]),
            detail=str(said["problem"]),
        )

    @hookimpl
    def read_traffic(self, deployment: Deployment) -> tuple[Traffic, ...]:
        try:
            counts = _ask(deployment.address)["traffic"]
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            raise Unavailable(f"{deployment.address} does not answer") from error
        return tuple(
            Traffic(**{**one, "since": datetime.fromisoformat(one["since"])}) for one in counts
        )


@contextlib.contextmanager
def _until_told() -> Any:
    """An event that SIGTERM and SIGINT set."""
    stopping = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(address: str) -> dict[str, Any]:
    url = urlsplit(address)
    if not url.hostname:
        msg = "it was never started"
        raise ValueError(msg)
    link = http.client.HTTPConnection(url.hostname, url.port, timeout=_SECONDS)
    with contextlib.closing(link):
        link.request("GET", "/v2/health/ready")
        said = json.loads(link.getresponse().read(1_000_000))
    return said if isinstance(said, dict) else {}


class _Count:
    """How it went for one release: answers, refusals and failures since it was opened."""

    def __init__(self) -> None:
        self.since = datetime.now(UTC)
        self.cells = latency_cells()
        self.refused = self.failed = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Any:
        """Count what is answered, or goes wrong, inside."""
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            with self._lock:
                self.refused += isinstance(error, InvalidInput)
                self.failed += not isinstance(error, InvalidInput)
            raise
        took = latency_cells([time.perf_counter() - started])
        with self._lock:
            self.cells = tuple(map(operator.add, self.cells, took))

    def said(self, target: Any) -> dict[str, Any]:
        return {
            "release": target.release.id,
            "mirror": target.mirror,
            "weight": target.weight,
            "since": self.since.isoformat(),
            "requests": sum(self.cells) + self.refused + self.failed,
            "refused": self.refused,
            "failed": self.failed,
            "latencies": self.cells,
        }


@attrs.frozen
class _Service:
    """What a request needs to be answered."""

    endpoint: Endpoint
    feed: TargetFeed
    captures: CaptureSink
    log: logging.Logger
    max_body: int
    seconds: float
    counts: dict[tuple[str, bool], _Count] = attrs.field(factory=dict)

    def count(self, target: Any) -> _Count:
        """The count of a target."""
        return self.counts.setdefault((target.release.id, target.mirror), _Count())

    @property
    def answering(self) -> list[OpenTarget]:
        """The targets that answer, at this moment."""
        return [one for one in self.feed.current if not one.target.mirror and one.target.weight > 0]

    def ready(self) -> dict[str, Any]:
        """How the endpoint is."""
        return {
            "of": attrs.asdict(self.endpoint),
            "serving": [one.target.release.id for one in self.answering],
            "problem": self.feed.problem,
            "captures_lost": self.captures.lost,
            "traffic": [self.count(one.target).said(one.target) for one in self.feed.current],
        }

    def infer(self, body: bytes) -> dict[str, Any]:
        """Score one request by the release that its turn falls on."""
        answering = self.answering
        mirrors = [one for one in self.feed.current if one.target.mirror]
        if not answering:
            msg = "no release is served here"
            raise Unavailable(msg)
        try:
            asked = json.loads(body)
        except ValueError as error:
            msg = "the body is not JSON"
            raise InvalidInput(msg) from error
        chosen = _chosen(answering, asked)
        request_id = asked.get("id") if isinstance(asked, dict) else None
        request_id = request_id if isinstance(request_id, str) and request_id else uuid.uuid4().hex
        predictions = self._answer(chosen, asked, request_id)
        for mirror in mirrors:
            try:
                self._answer(mirror, asked, request_id)
            except Exception as error:  # noqa: BLE001  (what a mirror does is nobody's error)
                self.log.warning("mirror %s: %s", mirror.target.release.id, type(error).__name__)
        return {
            "id": request_id,
            "model_name": self.endpoint.name,
            "model_version": chosen.target.release.id,
            "outputs": [
                {
                    "name": name,
                    "datatype": _datatype(predictions[name]),
                    "shape": [predictions.num_rows],
                    "data": predictions[name].to_pylist(),
                }
                for name in predictions.column_names
            ],
        }

    def _answer(self, chosen: OpenTarget, asked: Any, request_id: str) -> pa.Table:
        release, predictor = chosen.target.release, chosen.predictor
        with self.count(chosen.target).one():
            rows = rows_of(asked, predictor.signature)
            scores = predictor.predict(rows)
            predictions = decide(scores, predictor.signature, release.threshold)
        self.captures.put(
            Capture(
                request_id=request_id,
                at=datetime.now(UTC),
                release=release.id,
                rows=rows,
                predictions=predictions,
                mirror=chosen.target.mirror,
            )
        )
        return predictions


def _chosen(answering: list[OpenTarget], asked: Any) -> OpenTarget:
    """One of the targets by weight: at random, or always the same for one sticky key."""
    said = asked.get("parameters") if isinstance(asked, dict) else None
    key = said.get("sticky_key") if isinstance(said, dict) else None
    share = random.random()  # noqa: S311  (a split, no secret)
    if key is not None:
        share = int(hashlib.sha256(str(key).encode()).hexdigest()[:12], 16) / 16**12
    share *= sum(one.target.weight for one in answering)
    for one in answering:
        share -= one.target.weight
        if share < 0:
            return one
    return answering[-1]


def rows_of(asked: Any, signature: Signature) -> pa.Table:
    """The rows of a request: every feature, and the id and time where they were sent.

    Raises:
        InvalidInput: a column is missing or unknown, or does not fit; its values are not repeated.
    """
    import pyarrow as pa

    tensors = asked.get("inputs") if isinstance(asked, dict) else None
    if not isinstance(tensors, list) or not all(isinstance(one, dict) for one in tensors):
        msg = '"inputs" is no list of tensors, one for each column'
        raise InvalidInput(msg)
    sent = {str(one.get("name")): one.get("data") for one in tensors}
    aside = [field for field in (signature.id, signature.time) if field and field.name in sent]
    fields = {field.name: field for field in (*signature.inputs, *aside)}
    for name in fields.keys() ^ sent.keys():
        what = "is missing" if name in fields else "is not a column of this model"
        msg = f"input {name[:80]!r} {what}"
        raise InvalidInput(msg)
    columns = {name: _column(field, sent[name]) for name, field in fields.items()}
    if len({len(column) for column in columns.values()}) > 1:
        msg = "the inputs have different numbers of rows"
        raise InvalidInput(msg)
    return pa.table(columns)


def _column(field: Field, values: Any) -> pa.Array:
    import pyarrow as pa

    if not isinstance(values, list):
        msg = f"input {field.name!r} has no data"
        raise InvalidInput(msg)
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        msg = f"input {field.name!r} has a number that is not finite"
        raise InvalidInput(msg)
    try:
        column = pa.array(values, pa.type_for_alias(field.type))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        msg = f"input {field.name!r} does not fit: expected {field.type}"
        raise InvalidInput(msg) from None
    if column.null_count and not field.nullable:
        msg = f"input {field.name!r} has no missing values"
        raise InvalidInput(msg)
    return column


def _datatype(column: pa.ChunkedArray) -> str:
    return {"double": "FP64", "int64": "INT64", "bool": "BOOL"}.get(str(column.type), "BYTES")


class _Server(socketserver.ThreadingTCPServer):
    """Takes connections, each answered by a thread; closing it waits for them."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: _Service) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle of an answer is its own affair."""
        self.service.log.debug("a connection broke off")


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def setup(self) -> None:
        self.request.settimeout(self.server.service.seconds)
        super().setup()

    def do_GET(self) -> None:
        service = self.server.service
        match unquote(self.path).strip("/").split("/"):
            case ["v2", "health", "live"]:
                self._send(200, {"live": True})
            case ["v2", "health", "ready"]:
                self._send(200 if service.answering else 503, service.ready())
            case _:
                self._send(404, {"error": "nothing is at this path"})

    def do_POST(self) -> None:
        service = self.server.service
        if unquote(self.path) != f"/v2/models/{service.endpoint.name}/infer":
            self._send(404, {"error": "nothing is at this path"})
            return
        try:
            self._send(200, service.infer(self._body()))
        except (InvalidInput, Unavailable) as error:
            self._send(400 if isinstance(error, InvalidInput) else 503, {"error": str(error)})
        except Exception as error:
            service.log.exception("a request failed")
            self._send(500, {"error": f"the model failed: {type(error).__name__}"})

    def _body(self) -> bytes:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > self.server.service.max_body:
            msg = f"a body has a length, up to {self.server.service.max_body} bytes"
            raise InvalidInput(msg)
        return self.rfile.read(int(length))

    def _send(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line for each request is nobody's to read."""
