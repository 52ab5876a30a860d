"""Hostile and broken clients: each gets a clear answer or is cut off, and the server goes on."""

import contextlib
import http.client
import json
import socket
import time

import pytest
from asking import INFER, ROW, wait_until

pytestmark = pytest.mark.real_backend


@pytest.fixture(autouse=True)
def _goes_on(shared, hasty):
    """After each test the servers answer as ever."""
    yield
    assert shared.infer(ROW)[0] == 200
    wait_until(lambda: answers(hasty))


def answers(client):
    """Whether a client is answered whom its machine may have kept from asking in time."""
    try:
        return client.infer(ROW)[0] == 200
    except (http.client.HTTPException, ConnectionError):
        return False


@contextlib.contextmanager
def raw(client, sent=b""):
    with socket.create_connection(client.at, timeout=60) as link:
        link.sendall(sent)
        yield link


def everything(link):
    """All that arrives until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(65536):
            parts.append(part)
    return b"".join(parts)


def response(link):
    """Status and JSON of the next response."""
    answer = http.client.HTTPResponse(link)
    answer.begin()
    return answer.status, json.loads(answer.read())


def head(length, *more):
    lines = [f"POST {INFER} HTTP/1.1", "Host: x", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def request(tensors, *more):
    body = json.dumps({"inputs": tensors(ROW)}).encode()
    return head(len(body), *more) + body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"inputs": {}}',
        b'{"inputs": [1]}',
        b'{"inputs": [{"name": "age", "datatype": "INT64", "shape": [1], "data": [NaN]}]}',
        b'{"inputs": [{"name": "age", "datatype": "INT64", "shape": [1], "data": [Infinity]}]}',
        b'{"inputs": "\xff\xfe"}',
        b'{"inputs": "\\ud800"}',
        b"\x00" * 100,
        b"[" * 50_000,
        b'{"inputs":' * 5_000,
        b'{"inputs": [], "id": {}}',
        b'{"inputs": [], "id": "\\n"}',
        b'{"inputs": [], "parameters": []}',
        b'{"inputs": [], "parameters": {"sticky_key": [1]}}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_no_request_is_refused(shared, body):
    """What is not JSON, or not the protocol's, is answered 400 with a reason."""
    status, _, value = shared.call("POST", INFER, body)
    assert status == 400
    assert value["error"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"ü": [NaN]}', "NaN is none of it, send null for a missing value, at byte 8"),
        ("[-Infinity]", "-Infinity is none of it, send null for a missing value, at byte 2"),
        ("[1, 02]", "number with leading zero is not allowed, at byte 4"),
        (b'{"a": "\xff"}', "no UTF-8, at byte 7"),
    ],
)
def test_a_body_that_is_no_json_is_told_where(shared, body, why):
    """And what to send in the place of what is not in JSON."""
    sent = body if isinstance(body, bytes) else body.encode()
    status, _, value = shared.call("POST", INFER, sent)
    assert (status, value["error"]) == (400, f"the body is not JSON: {why}")


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"inputs":' * 5_000])
def test_a_body_that_is_nested_too_deep_is_told_so(shared, body):
    """The answer names the limit."""
    status, _, value = shared.call("POST", INFER, body)
    assert (status, value["error"]) == (400, "the body is nested deeper than 1024 levels")


def test_strange_texts_are_scored_as_they_are(shared):
    """Text may hold any character: nulls, quotes, other scripts, right-to-left marks."""
    for text in ("\x00", '"', "東京", "\u202e", "a" * 10_000, ""):
        status, value = shared.infer({**ROW, "city": text})
        assert (status, len(value["outputs"])) == (200, 2)


def test_integers_beyond_doubles_are_kept_exactly(shared):
    """An id of 2^53 + 1 is captured as that."""
    shared.infer({**ROW, "person": 2**53 + 1}, id="exact")
    deadline = time.monotonic() + 60
    while not (got := [each for each in shared.captures.all if each.request_id == "exact"]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert got[0].rows["person"].to_pylist() == [2**53 + 1]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", INFER, 405, "POST"),
        ("DELETE", INFER, 405, "POST"),
        ("POST", "/v2/health/live", 405, "GET, HEAD"),
        ("PUT", "/v2/models/employment", 405, "GET, HEAD"),
        ("OPTIONS", "/v2", 405, "GET, HEAD"),
        ("GET", "/", 404, None),
        ("GET", "/v2/", 404, None),
        ("GET", "/v2/health", 404, None),
        ("GET", "/v2/models/unknown", 404, None),
        ("POST", "/v2/models/unknown/infer", 404, None),
        ("GET", "/v2/models/employment/versions/9", 404, None),
        ("GET", "/v2/models/employment/versions", 404, None),
        ("POST", "/v2/models/employment/infer/more", 404, None),
        ("GET", "/v2/models/..%2f..%2fetc%2fpasswd", 404, None),
        ("GET", "/v2/models/%00", 404, None),
        ("GET", "/%ff%fe", 404, None),
        ("GET", "/" + "a" * 10_000, 404, None),
    ],
)
def test_other_paths_and_methods_are_refused(shared, method, path, status, allow):
    """An unknown path is 404; a known one with another method is 405 and says which it takes."""
    got, headers, value = shared.call(method, path)
    assert (got, headers["allow"], bool(value["error"])) == (status, allow, True)


def test_a_model_with_a_near_name_is_suggested(shared):
    """A misspelled model gets the right name."""
    assert shared.get("/v2/models/employmen")[1]["error"].endswith("did you mean 'employment'?")


@pytest.mark.parametrize(
    "header",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_encoding": "gzip"},
        {"content_type": "application/octet-stream"},
    ],
)
def test_a_body_that_is_not_plain_json_is_415(shared, header):
    """Forms, compression, and bytes that nothing says of what are refused before they are read."""
    assert shared.call("POST", INFER, b"{}", **header)[0] == 415


@pytest.mark.parametrize("name", ["\xe9", "a" * 129, " "])
def test_a_strange_request_id_is_replaced(shared, name):
    """A header that is no request id is not echoed; the server makes its own."""
    _, headers, _ = shared.call("GET", "/v2", x_request_id=name)
    assert headers["x-request-id"].isalnum()
    assert headers["x-request-id"] != name


def test_a_declared_body_that_is_too_large_is_refused_unread(shared):
    """By its declared length a body is 413 before a byte of it was sent."""
    with raw(shared, head(10**12)) as link:
        assert response(link)[0] == 413


def test_a_chunked_body_that_grows_too_large_is_refused(shared):
    """A body without a declared length is 413 as soon as it is too long."""
    start = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with raw(shared, start) as link:
        for _ in range(11):
            link.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        assert response(link)[0] == 413


def test_a_chunked_body_is_read(shared, tensors):
    """A body in chunks is a body."""
    body = json.dumps({"inputs": tensors(ROW)}).encode()
    start = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    with raw(shared, start + chunks + b"0\r\n\r\n") as link:
        assert response(link)[0] == 200


def test_a_large_refused_body_leaves_the_connection_in_order(shared, tensors):
    """The rest of a refused body is not taken for the next request."""
    with raw(shared, head(200_000) + b"GET / HTTP/1.1\r\n\r\n".ljust(200_000)) as link:
        assert response(link)[0] == 413
        link.sendall(request(tensors))
        assert response(link)[0] == 200


def test_too_many_rows_are_413(shared, tensors):
    """More rows than a request may have are refused with the limit."""
    status, _, value = shared.call("POST", INFER, {"inputs": tensors(*[ROW] * 51)})
    assert (status, value["error"]) == (413, "51 rows: this server takes up to 50 in a request")


def test_pipelined_requests_are_answered_in_order(shared, tensors):
    """Requests sent without waiting are all answered, in the order in which they were sent."""
    sent = b"".join(request(tensors, f"X-Request-Id: call-{number}") for number in range(20))
    with raw(shared, sent) as link:
        answered = []
        reader = link.makefile("rb")
        for _ in range(20):
            assert reader.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.startswith(b"content-length"):
                    length = int(line.split()[1])
            answered.append(json.loads(reader.read(length))["id"])
    assert answered == [f"call-{number}" for number in range(20)]


def test_a_header_behind_a_large_body_is_no_large_header(client, tensors):
    """The beginning of a header that arrives together with a body is not measured with it."""
    row = {**ROW, "city": "a" * 150_000}
    body = json.dumps({"inputs": tensors(row)}).encode()
    with raw(client, head(len(body)) + body + b"GET /v2 HT") as link:
        assert response(link)[0] == 200
        link.sendall(b"TP/1.1\r\n\r\n")
        assert response(link)[0] == 200


def test_a_flood_of_pipelined_requests_is_cut_off(shared):
    """A connection that sends ahead without end is closed, not remembered without end."""
    asked = b"GET /v2/health/live HTTP/1.1\r\n\r\n"
    with raw(shared) as link, contextlib.suppress(ConnectionError):
        link.sendall(asked * 5_000)
        assert everything(link).count(b"HTTP/1.1 200") < 200


def test_a_header_that_does_not_end_is_cut_off(hasty):
    """A client that feeds its header byte by byte has a deadline for the whole of it."""
    began = time.monotonic()
    with raw(hasty, b"GET /v2 HTTP/1.1\r\nX-Slow: ") as link:
        link.settimeout(0.05)
        answer = b""
        while time.monotonic() - began < 45:
            try:
                link.sendall(b"a")
                part = link.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not part:
                break
            answer += part
    assert time.monotonic() - began < 40
    assert answer.startswith(b"HTTP/1.1 408") or not answer


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"G", b"GET /v2 HTTP/1.1\r\n"])
def test_a_connection_that_asks_nothing_is_closed(hasty, sent):
    """A connection that never completes a header is closed when its time is up."""
    began = time.monotonic()
    with raw(hasty, sent) as link:
        everything(link)
    assert time.monotonic() - began < 40


def test_line_feeds_do_not_keep_a_connection_open(serving, target, tensors):
    """Between requests, too, a client that sends bytes without a request is cut off."""
    with (
        serving(target(1), header_seconds=4) as client,
        raw(client, request(tensors)) as link,
    ):
        assert response(link)[0] == 200
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 45:
                link.sendall(b"\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began < 40


def test_a_body_that_does_not_end_is_408(hasty):
    """A client that starves its body has a deadline for the whole of it."""
    began = time.monotonic()
    with raw(hasty, head(100) + b'{"inputs"') as link:
        assert response(link)[0] == 408
        assert everything(link) == b""
    assert time.monotonic() - began < 40


def test_a_body_cut_short_harms_nobody(shared):
    """A client that leaves in the middle of its body is forgotten."""
    for _ in range(20):
        with raw(shared, head(100) + b'{"inputs"'):
            pass


def test_a_client_that_leaves_before_its_answer_harms_nobody(shared, tensors):
    """A client that closes at once after asking is forgotten."""
    for _ in range(20):
        with raw(shared, request(tensors)):
            pass


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET  / HTTP/9.9\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\n\x00: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
        "GET /é HTTP/1.1\r\n\r\n".encode(),
        b"POST /v2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"\x00" * 1000,
    ],
    ids=repr,
)
def test_what_is_no_http_is_refused(hasty, sent):
    """Bytes that are no HTTP, and requests that contradict themselves, are 400 or cut off."""
    with raw(hasty, sent) as link:
        answer = everything(link)
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


def test_a_header_without_end_is_refused(serving, target):
    """A header that grows without end is cut off by its size, long before its time is up."""
    with serving(target(1), header_seconds=60) as client:
        began = time.monotonic()
        with raw(client, b"GET /v2 HTTP/1.1\r\nX: ") as link:
            for _ in range(3):
                time.sleep(0.1)
                link.sendall(b"a" * 30_000)
            assert everything(link).startswith(b"HTTP/1.1 431")
        assert time.monotonic() - began < 40


def send_without_reading(link, sent, seconds):
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with contextlib.suppress(TimeoutError):
            sent = sent[link.send(sent) :]


def test_a_client_that_does_not_take_its_answers_is_cut_off(serving, target, tensors):
    """Answers that nobody reads are not held for ever."""
    body = json.dumps({"inputs": tensors(*[ROW] * 10_000)}).encode()
    sent = memoryview((head(len(body)) + body) * 40)
    with serving(target(1), write_seconds=0.3) as client:
        with socket.socket() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.connect(client.at)
            link.settimeout(0.1)
            with pytest.raises(ConnectionError):
                send_without_reading(link, sent, seconds=60)
        assert client.infer(ROW)[0] == 200
