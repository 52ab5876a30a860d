"""A header that came before on a connection is not parsed again, and nothing else changes by it."""

import contextlib
import http.client
import itertools
import json
import socket
from functools import partial

import attrs
import pytest
from asking import INFER, ROW
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock_serving.http.asgi import REQUEST
from interlock_serving.http.request import request_of
from interlock_serving.wire.heads import Heads

pytestmark = pytest.mark.real_backend

PLAIN = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n"
HEADERS = [(b"host", b"x"), (b"content-length", b"3")]


@pytest.fixture
def heads():
    return Heads()


def test_the_same_header_before_another_body_of_its_length_is_known(heads):
    """Shorter, longer, or with another byte in it, it is another."""
    assert heads.find(PLAIN + b"abc") is None
    heads.learn(PLAIN + b"abc", scope_of(HEADERS))
    found = heads.find(PLAIN + b"xyz")
    assert found.content == PLAIN
    assert {**found.scope, "headers": [*found.scope["headers"]]} == {
        **scope_of(HEADERS),
        REQUEST: found.scope[REQUEST],
    }
    assert heads.find(PLAIN) is found
    for other in (
        PLAIN + b"ab",
        PLAIN + b"abcd",
        PLAIN.replace(b"host: x", b"host: y") + b"abc",
        PLAIN.replace(b"/a", b"/b") + b"abc",
        b"",
    ):
        assert heads.find(other) is None


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (PLAIN.replace(b"\r\n", b"\n") + b"abc", HEADERS),
        (PLAIN.replace(b"x\r\n", b"x\n") + b"abc", HEADERS[:1]),
        (b"\r\n" + PLAIN + b"abc", HEADERS),
        (PLAIN.replace(b"x\r\n", b"x\r\n y\r\n") + b"abc", HEADERS),
        (PLAIN.replace(b"x\r\n", b"x\r\r\n") + b"abc", HEADERS),
        (PLAIN + b"ab", HEADERS),
        (PLAIN + b"abc\r\n", HEADERS),
        (PLAIN + b"abc", [*HEADERS[:1], (b"content-length", b"+3")]),
        (PLAIN + b"abc", [(b"content-length", b"3")] * 2),
        (PLAIN + b"abc", [(b"transfer-encoding", b"chunked"), HEADERS[1]]),
        (PLAIN + b"abc", [HEADERS[0], (b"content-type", b"3")]),
        (PLAIN.replace(b"x\r", b"x" * 9_000 + b"\r") + b"abc", HEADERS),
    ],
)
def test_what_leaves_a_doubt_is_not_remembered(heads, data, headers):
    """Line ends of another kind, folded lines, two lengths, chunks, more bytes than it says."""
    heads.learn(data, scope_of(headers))
    assert heads.find(data) is None


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"content-type": "application/json; charset=utf-8", "x-request-id": "mine"},
        {"content-type": "text/plain"},
        {"content-type": "text/plain", "inference-header-content-length": "2"},
        {"content-encoding": "gzip", "x-request-id": "\t"},
        {"x-sticky-key": "a", "x-request-id": "é"},
    ],
)
def test_a_header_that_is_known_means_what_it_meant(heads, more):
    """Its name for the request, its length, and what is not read of it."""
    headers = [
        *HEADERS,
        *((name.encode(), value.encode("latin-1")) for name, value in more.items()),
    ]
    lines = b"".join(b"%b: %b\r\n" % each for each in headers)
    scope = scope_of(headers)
    heads.learn(b"POST /a HTTP/1.1\r\n" + lines + b"\r\nabc", scope)
    known = heads.find(b"POST /a HTTP/1.1\r\n" + lines + b"\r\nxyz").scope
    assert attrs.asdict(request_of(known)) == attrs.asdict(request_of(scope))
    assert request_of(known) is known[REQUEST]


def scope_of(headers):
    return {"method": "POST", "path": "/a", "headers": headers}


def test_a_connection_remembers_few_of_them(heads):
    """However many kinds of request come over it."""
    for size in range(1, 100):
        head = PLAIN.replace(b"length: 3", b"length: %d" % size)
        headers = [HEADERS[0], (b"content-length", b"%d" % size)]
        heads.learn(head + b"a" * size, scope_of(headers))
        assert heads.find(head + b"b" * size) is not None
        assert heads.find(head) is not None
    assert len(heads._by_size) <= 16


def test_a_header_that_arrives_alone_is_remembered(heads):
    """Most clients send the body after it."""
    heads.learn(PLAIN, scope_of(HEADERS))
    assert heads.find(PLAIN + b"xyz") is heads.find(PLAIN) is not None
    assert heads.find(PLAIN + b"xy") is None
    large = [HEADERS[0], (b"content-length", b"70000")]
    heads.learn(PLAIN.replace(b"length: 3", b"length: 70000"), scope_of(large))
    assert heads.find(PLAIN.replace(b"length: 3", b"length: 70000")) is None


def test_requests_with_one_header_are_answered_each_for_itself(
    serving, target, logistic_score, monkeypatch
):
    """From the second on their header is known; their ids are new, and each is counted."""
    found = []
    known = Heads.find

    def find(self, data):
        found.append(known(self, data) is not None)
        return known(self, data)

    monkeypatch.setattr(Heads, "find", find)
    with serving(target(1)) as client, connected(client) as (link, stream):
        ids = set()
        for age in range(10, 40):
            link.sendall(request(age))
            answer = read(stream)
            assert answer["outputs"][1]["data"] == [score_of(logistic_score, age)]
            ids.add(answer["id"])
        assert len(ids) == 30
        assert found == [False] + [True] * 29
        for age in range(40, 50):
            head, end, body = request(age).partition(b"\r\n\r\n")
            link.sendall(head + end)
            client.until(partial(holds, found, age - 9))  # by then it was seen without its body
            link.sendall(body[:9])
            link.sendall(body[9:])
            assert read(stream)["outputs"][1]["data"] == [score_of(logistic_score, age)]
        assert found == [False] + [True] * 39
        assert client.get("/v2/health/ready")[1]["traffic"][0]["requests"] == 40


def test_a_body_that_stays_away_is_not_waited_for(serving, target):
    """Behind a header that is known as behind any other."""
    with serving(target(1), body_seconds=1) as client, connected(client) as (link, stream):
        link.sendall(request(40))
        read(stream)
        link.sendall(request(40)[:-9])
        assert stream.readline().split()[1] == b"408"
    with serving(target(1)) as client:
        with connected(client) as (link, stream):
            link.sendall(request(40))
            read(stream)
            link.sendall(request(40)[:-9])
        # Its client is gone in the middle of it; others are answered.
        assert client.infer(ROW)[0] == 200


def test_a_key_is_asked_for_each_time(serving, target, tensors):
    """A request that is known is let in by its own key, and one with another is not known."""
    keys = {"mobile": "k" * 32}
    with serving(target(1), api_keys=keys) as client, client.connect() as connection:
        body = {"inputs": tensors(ROW)}
        for key, expected in (("k" * 32, 200), ("x" * 32, 401)) * 4:
            named = {"authorization": f"Bearer {key}"}
            assert client.call("POST", INFER, body, connection, **named)[0] == expected


@given(
    ages=st.lists(st.integers(10, 120), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 2_000), max_size=8),
    apart=st.sets(st.integers(0, 11)),
)
@settings(max_examples=120)
def test_however_requests_arrive_they_are_the_same(endpoint, logistic_score, ages, cuts, apart):
    """Whole, in pieces, several at once: of each the answer is to what it asked."""
    whole = b"".join(map(request, ages))
    ends = [*itertools.accumulate(map(len, map(request, ages)))]
    heads = [request(age).index(b"\r\n\r\n") + 4 for age in ages]
    begins = [start + head for start, head in zip([0, *ends], heads, strict=False)]
    borders = sorted([*ends, *begins])
    cuts = [*cuts, *(borders[place] for place in apart if place < len(borders))]
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    with connected(endpoint) as (link, stream):
        for start, end in itertools.pairwise(places):
            link.sendall(whole[start:end])
        scores = [read(stream)["outputs"][1]["data"] for _ in ages]
    assert scores == [[score_of(logistic_score, age)] for age in ages]


@pytest.fixture(scope="module")
def endpoint(serving, target):
    with serving(target(1)) as client:
        yield client


@pytest.fixture(scope="module")
def logistic_score(target):
    return target(1).predictor.score


def holds(found, count):
    return len(found) == count


@contextlib.contextmanager
def connected(client):
    """A connection that sends what it is given at once, and what comes back over it."""
    with socket.create_connection(client.at, timeout=60) as link, link.makefile("rb") as stream:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield link, stream


def request(age):
    """A request's bytes."""
    kinds = {"age": "INT64", "income": "FP64", "city": "BYTES"}
    inputs = [
        {"name": name, "datatype": kinds[name], "shape": [1], "data": [value]}
        for name, value in {**ROW, "age": age}.items()
    ]
    body = json.dumps({"inputs": inputs}).encode()
    head = f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read(stream):
    """The JSON of the next answer."""
    assert stream.readline().split()[1] == b"200"
    return json.loads(stream.read(int(http.client.parse_headers(stream)["content-length"])))


def score_of(score, age):
    return pytest.approx(score(**{**ROW, "age": age}))
