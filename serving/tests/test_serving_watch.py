"""What is seen of an endpoint: metrics, an access log, spans, and what is recorded of answers."""

import contextlib
import http.client
import http.server
import json
import socket
import sys
import threading
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from asking import INFER, MODEL, ROW
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from rpc_client import channel, refused

from interlock_hookspecs import Capture, CaptureBatch, InvalidInput, Secret, Unavailable
from interlock_serving import ServerSettings
from interlock_serving.layered import layered
from interlock_serving.layers.observe import route_of
from interlock_serving.models.private import PrivateCaptures, private
from interlock_serving.workers.peers import Peers

KEY = "mobile-0123456789"


def scrape(client, **headers):
    """The samples at /metrics: their values by name and labels."""
    with client.connect() as link:
        link.request("GET", "/metrics", headers=headers)
        answer = link.getresponse()
        text = answer.read().decode()
    assert answer.status == 200, text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.real_backend
def test_prometheus_reads_what_came_of_requests(serving, target):
    """Answers, refusals and times, of the model and of HTTP, in Prometheus's own format."""
    with serving(target(1), metrics=True) as client:
        for _ in range(3):
            assert client.infer(ROW)[0] == 200
        assert client.infer({**ROW, "age": "old"})[0] == 400
        assert client.call("GET", "/wp-admin")[0] == 404
        found = scrape(client)
    model = (("model_name", "employment"), ("model_version", "release-1"))
    assert found["model_infer_request_success_total", *model] == 3
    refused = (*model, ("reason", "refused"))
    assert found["model_infer_request_failure_total", *refused] == 1
    assert found["model_infer_request_duration_seconds_count", *model] == 3
    assert found["model_infer_request_duration_seconds_sum", *model] > 0
    assert found["model_ready", *model] == 1
    route = ("route", "/v2/models/{model}/infer")
    answered = (("method", "POST"), route, ("status", "200"))
    assert found["http_requests_total", *answered] == 3
    assert (
        found["http_requests_total", ("method", "GET"), ("route", "other"), ("status", "404")] == 1
    )
    assert found["http_request_duration_seconds_count", route] == 4
    everything = found["http_request_duration_seconds_bucket", ("le", "+Inf"), route]
    assert everything == 4
    assert found["captures_lost_total",] == 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_metrics_are_off_until_they_are_set(client):
    """Without the setting nothing is at the path."""
    assert client.call("GET", "/metrics")[0] == 404


@pytest.mark.real_backend
def test_a_scraper_has_a_key_for_metrics_alone(serving, target):
    """With keys, /metrics needs one; one for metrics does not get predictions."""
    keys = {"api_keys": {"scraper": Secret(KEY)}, "key_rights": {"scraper": ("metrics",)}}
    with serving(target(1), metrics=True, **keys) as client:
        assert client.call("GET", "/metrics")[0] == 401
        assert client.call("POST", "/metrics", b"{}", x_api_key=KEY)[0] == 405
        assert client.call("GET", MODEL, x_api_key=KEY)[0] == 403
        assert scrape(client, **{"x-api-key": KEY})


def test_routes_are_few():
    """Whatever is asked, a path that varies is one route."""
    assert route_of(f"{MODEL}/versions/release-1/infer") == (
        "/v2/models/{model}/versions/{version}/infer"
    )
    assert route_of("/v2/models/any/thing/else") == "other"
    assert route_of("/v2/models/any") == "/v2/models/{model}"
    assert {route_of(f"/{n}") for n in range(1_000)} == {"other"}


@pytest.mark.real_backend
def test_each_request_is_a_line_of_the_access_log(serving, target, tensors, tmp_path):
    """Who asked for what, under which id, and what came of it; no key and no query string."""
    file = tmp_path / "access.log"
    keys = {"api_keys": {"mobile": Secret(KEY)}}
    with serving(target(1), access_log=file, **keys) as client:
        body = {"inputs": tensors(ROW), "id": "call-1"}
        client.call("POST", f"{INFER}?token={KEY}", body, x_api_key=KEY)
        _, headers, _ = client.call("GET", MODEL)
        client.call("GET", "/" + "x" * 5_000, x_api_key=KEY)
        client.until(lambda: file.read_bytes().count(b"\n") == 3)
    text = file.read_text()
    answered, refused, long = map(json.loads, text.splitlines())
    assert KEY not in text
    assert datetime.fromisoformat(answered.pop("time")).tzinfo == UTC
    assert answered.pop("seconds") > 0
    assert answered.pop("bytes") > 100
    assert answered.pop("worker") > 0
    assert answered == {
        "request_id": "call-1",
        "method": "POST",
        "path": INFER,
        "status": 200,
        "caller": "mobile",
        "client": "127.0.0.1",
    }
    assert (refused["status"], refused["caller"]) == (401, "")
    assert refused["request_id"] == headers["x-request-id"]
    assert len(long["path"]) == 200
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.real_backend
def test_what_is_refused_before_it_is_read_is_seen(serving, target, tmp_path):
    """No HTTP, and a header or a body that is late: a line and a count each, as answered."""
    file = tmp_path / "access.log"
    late = {"header_seconds": 0.2, "body_seconds": 0.2}
    chunked = f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    sized = f"POST {INFER} HTTP/1.1\r\nContent-Length: 9\r\n\r\n".encode()
    unread = ("_OTHER", "unread", "")
    infer = ("POST", "/v2/models/{model}/infer", INFER)
    sent = (
        (b"\x00" * 1_000, 400, unread),
        (b"GET /v2 HTTP/1.1\r\nBad Header: x\r\n\r\n", 400, unread),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400, unread),
        (b"GET /v2 HTTP/1.1\r\nX: ", 408, unread),
        (b"GET /v2 HTTP/1.1\r\nX: " + b"a" * 200_000, 431, unread),
        (chunked + b"ZZ\r\n", 400, infer),
        (sized + b"{", 408, infer),
    )
    with serving(target(1), metrics=True, access_log=file, **late) as client:
        ids = []
        for content, status, _ in sent:
            with socket.create_connection(client.at, timeout=60) as link:
                link.sendall(content)
                answer = http.client.HTTPResponse(link)
                answer.begin()
                assert answer.status == status
                ids.append(answer.headers["x-request-id"])
        client.until(lambda: file.read_bytes().count(b"\n") == len(sent))
        found = scrape(client)
    lines = [*map(json.loads, file.read_text().splitlines())]
    said = [
        (line["request_id"], line["status"], line["method"], line["path"]) for line in lines[:7]
    ]
    assert said == [
        (name, status, method, path)
        for name, (_, status, (method, _, path)) in zip(ids, sent, strict=True)
    ]
    assert all(line["client"] == "127.0.0.1" and line["bytes"] > 10 for line in lines)
    counted = Counter((method, route, str(status)) for _, status, (method, route, _) in sent)
    for labels, count in counted.items():
        named = zip(("method", "route", "status"), labels, strict=True)
        assert found["http_requests_total", *named] == count


@pytest.mark.real_backend
def test_a_known_header_whose_body_is_late_is_seen(serving, target, tensors, tmp_path):
    """The request was not begun; who asked for what is known all the same."""
    file = tmp_path / "access.log"
    body = json.dumps({"inputs": tensors(ROW)}).encode()
    head = f"POST {INFER} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(target(1), access_log=file, body_seconds=0.2) as client:
        with socket.create_connection(client.at, timeout=60) as link:
            for content, status in ((body, 200), (body, 200), (body[:-1], 408)):
                link.sendall(head + content)
                answer = http.client.HTTPResponse(link)
                answer.begin()
                assert answer.status == status
                answer.read()
        client.until(lambda: file.read_bytes().count(b"\n") == 3)
    last = json.loads(file.read_text().splitlines()[-1])
    assert (last["status"], last["method"], last["path"]) == (408, "POST", INFER)


def test_an_access_log_that_cannot_be_is_told_at_once(client, tmp_path):
    """Before the server listens, with the file's name."""
    settings = ServerSettings(access_log=tmp_path / "gone" / "access.log")
    with pytest.raises(Unavailable, match=r"access_log .*gone/access.log: No such file"):
        layered(settings, client.running._app, Peers())


def spans_of(kept):
    """The spans of what a collector was sent."""
    return [
        span
        for request in kept
        for each in request.resource_spans
        for scope in each.scope_spans
        for span in scope.spans
    ]


@contextlib.contextmanager
def collector():
    """A collector of traces on loopback: takes OTLP over HTTP, keeps the spans."""
    kept = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            kept.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.stand_in
@pytest.mark.schema
def test_a_request_is_a_span_of_its_callers_trace(serving, target, tensors):
    """Sent over OTLP by the end of the server: name, trace, status and the request's id."""
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with collector() as (url, kept):
        with serving(target(1), traces=url) as client:
            body = {"inputs": tensors(ROW), "id": "call-1"}
            client.call("POST", INFER, body, traceparent=f"00-{trace}-{parent}-01")
            client.call("GET", "/v2/health/live")
        (resource,) = kept[0].resource_spans
        spans = spans_of(kept)
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert named["service.name"] == "employment"
    inferred = next(span for span in spans if span.name == "POST /v2/models/{model}/infer")
    assert (inferred.trace_id.hex(), inferred.parent_span_id.hex()) == (trace, parent)
    said = {each.key: each.value for each in inferred.attributes}
    assert said["http.response.status_code"].int_value == 200
    assert said["interlock.request_id"].string_value == "call-1"
    assert inferred.end_time_unix_nano > inferred.start_time_unix_nano
    live = next(span for span in spans if span.name == "GET /v2/health/live")
    assert live.trace_id.hex() != trace


@pytest.mark.stand_in
def test_a_call_is_a_span_of_its_callers_trace(serving, target):
    """By the conventions for gRPC: the method and the code, in the trace of the metadata."""
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with collector() as (url, kept):
        with serving(target(1), traces=url, grpc_port=0) as client, channel(client) as asked:
            asked.infer(ROW, metadata=[("traceparent", f"00-{trace}-{parent}-01")])
            with refused("NOT_FOUND"):
                asked.infer(ROW, model_version="7")
        spans = spans_of(kept)
    calls = "inference.GRPCInferenceService/ModelInfer"
    good, bad = (span for span in spans if span.name == calls)
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == (trace, parent)
    for span, code in ((good, "OK"), (bad, "NOT_FOUND")):
        said = {each.key: each.value.string_value for each in span.attributes}
        assert (said["rpc.system.name"], said["rpc.response.status_code"]) == ("grpc", code)


@pytest.mark.parametrize(
    ("settings", "module", "extra"),
    [
        ({"metrics": True}, "prometheus_client", "metrics"),
        ({"traces": "http://127.0.0.1:9/"}, "opentelemetry.sdk.trace", "traces"),
    ],
)
def test_a_missing_library_is_named_by_its_extra(client, monkeypatch, settings, module, extra):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unavailable, match=rf"pip install 'interlock-serving\[{extra}\]'"):
        layered(ServerSettings(**settings), client.running._app, Peers())


@pytest.mark.real_backend
def test_private_columns_are_not_recorded_as_they_were_sent(serving, target):
    """Hashed or dropped before the sink has them; the model scored what was sent."""
    settings = {
        "private_columns": {"city": "hash", "person": "drop"},
        "private_key": Secret("a key of hashes"),
    }
    with serving(target(1), **settings) as client:
        rows = [{**ROW, "person": 7}, {**ROW, "city": None, "person": 8}]
        assert client.infer(*rows)[0] == 200
        assert client.infer(ROW)[0] == 200
        client.until(lambda: len(client.captures.all) == 2)
        first, second = (capture.rows for capture in client.captures.all)
    assert first.column_names == ["age", "income", "city"]
    hashed, missing = first["city"].to_pylist()
    assert missing is None
    assert len(hashed) == 32
    assert "Lowell" not in hashed
    # Equal stays equal, so that a column can still be counted and joined.
    assert second["city"].to_pylist() == [hashed]
    other = PrivateCaptures(None, 1.0, {"city": "hash"}, b"another key")
    assert other._hidden(first)["city"].to_pylist()[0] != hashed


class Kept:
    """A sink that keeps the ids of what it is given."""

    lost = 3

    def __init__(self):
        self.ids = []

    def put(self, capture):
        self.ids.append(capture.request_id)
        return True

    def put_batch(self, batch):
        self.ids += [capture.request_id for capture in batch.each()]
        self.rows = batch.rows["x"].to_pylist()
        return True


def test_a_share_of_the_requests_is_recorded():
    """About the share, the same ones each time, and a mirror's answer with the one it mirrors."""
    table = pa.table({"x": [1.0]})

    def record(share, *, mirror=False):
        kept = Kept()
        sink = private(ServerSettings(capture_share=share), kept)
        for number in range(2_000):
            capture = Capture(
                request_id=f"call-{number}",
                at=datetime.now(UTC),
                release="release-1",
                rows=table,
                predictions=table,
                mirror=mirror,
            )
            assert sink.put(capture)
        assert sink.lost == 3
        return kept.ids

    fifth = record(0.2)
    assert 300 < len(fifth) < 500
    assert record(0.2, mirror=True) == fifth
    together = Kept()
    ids = [f"call-{number}" for number in range(2_000)]
    batch = CaptureBatch(
        request_ids=ids,
        counts=[2] * len(ids),
        at=datetime.now(UTC),
        release="release-1",
        rows=pa.table({"x": [name for name in ids for _ in range(2)]}),
        predictions=pa.table({"score": [0.5] * 4_000}),
    )
    assert private(ServerSettings(capture_share=0.2), together).put_batch(batch)
    assert together.ids == fifth
    assert together.rows == [name for name in fifth for _ in range(2)]
    assert set(fifth) < set(record(0.5))
    assert record(0.0) == []
    assert len(record(1.0)) == 2_000


def test_without_settings_the_sink_is_itself():
    """What is not set costs nothing."""
    kept = Kept()
    assert private(ServerSettings(), kept) is kept


def test_hashes_need_a_key():
    """Without one whoever has the file could try every value."""
    with pytest.raises(InvalidInput, match="set it"):
        private(ServerSettings(private_columns={"city": "hash"}), Kept())
    with pytest.raises(ValueError, match="capture_share is out of range"):
        ServerSettings(capture_share=1.5)
