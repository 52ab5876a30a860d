"""A request that no coroutine answers is answered as one is; whatever comes between, too."""

import concurrent.futures
import contextlib
import http.client
import itertools
import json
import logging
import socket
from types import SimpleNamespace

import numpy as np
import pytest
from asking import INFER, ROW, tensors, wait_until

from interlock_serving.v2 import writing
from interlock_serving.wire.direct import DirectCycle

pytestmark = pytest.mark.real_backend

MODEL = INFER.removesuffix("/infer")
KEY = "k" * 32
VALUES = np.array([[40.0, 30_000.0]])


def body_of(*rows, **more):
    return json.dumps({"inputs": tensors(*rows), **more}).encode()


def binary(**more):
    """A body whose income stands behind its JSON, and the header that says so."""
    inputs = tensors(ROW)
    income = next(tensor for tensor in inputs if tensor["name"] == "income")
    income.pop("data")
    income["parameters"] = {"binary_data_size": 8}
    head = json.dumps({"inputs": inputs, **more}).encode()
    return head + np.array([30_000.0]).tobytes(), {
        "inference-header-content-length": f"{len(head)}"
    }


REQUESTS = {
    "a row": (INFER, body_of(ROW), {}),
    "rows": (INFER, body_of(ROW, {**ROW, "income": None}), {}),
    "a name in the body": (INFER, body_of(ROW, id="call-7"), {}),
    "a selected output": (INFER, body_of(ROW, outputs=[{"name": "score"}]), {}),
    "a sticky key": (INFER, body_of(ROW), {"x-sticky-key": "somebody"}),
    "a sticky key in the body": (INFER, body_of(ROW, parameters={"sticky_key": 7}), {}),
    "a limit of time": (INFER, body_of(ROW, parameters={"timeout": 60_000_000}), {}),
    "bytes": (INFER, *binary()),
    "bytes back": (INFER, *binary(parameters={"binary_data_output": True})),
    "records": (f"{MODEL}/batch", json.dumps({"rows": [ROW, ROW]}).encode(), {}),
    "a version": (f"{MODEL}/versions/1/infer", body_of(ROW), {}),
    "no such version": (f"{MODEL}/versions/9/infer", body_of(ROW), {}),
    "no such model": ("/v2/models/other/infer", body_of(ROW), {}),
    "no JSON": (INFER, b"{", {}),
    "no inputs": (INFER, b"{}", {}),
    "a name that is none": (INFER, body_of(ROW, id=["x"]), {}),
    "a wrong column": (INFER, body_of({**ROW, "town": 3}), {}),
    "a wrong value": (INFER, body_of({**ROW, "age": None}), {}),
    "too many rows": (INFER, body_of(*[ROW] * 60), {}),
    "too few bytes": (INFER, binary()[0][:-1], binary()[1]),
    "a row that the model refuses": (INFER, body_of({"age": 1200, "income": 0.0, "city": ""}), {}),
    "a row that the model fails at": (INFER, body_of({"age": 1600, "income": 0.0, "city": ""}), {}),
    "another type": (INFER, body_of(ROW), {"content-type": "text/plain"}),
    "another method": (INFER, None, {}),
}
NOT_DIRECT = {"no such model", "another type", "another method"}


@pytest.fixture
def direct(monkeypatch):
    """How many requests were answered without a coroutine, in a list that grows."""
    begun = []
    begin = DirectCycle.begin

    def counted(self, body):
        begun.append(self)
        begin(self, body)

    monkeypatch.setattr(DirectCycle, "begin", counted)
    return begun


@contextlib.contextmanager
def connected(client):
    with socket.create_connection(client.at, timeout=60) as link, link.makefile("rb") as stream:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield link, stream


def request(path, body, headers, *, key=KEY):
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "host: x", f"x-api-key: {key}"]
    lines += [f"content-length: {len(body or b'')}", "x-request-id: call-1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def read(stream):
    """The next answer: its bytes, of which the length is told."""
    lines = [*itertools.takewhile(lambda line: line.strip(), iter(stream.readline, b""))]
    lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
    size = int(lengths[0].partition(b":")[2]) if lengths else 0
    return b"".join(lines), stream.read(size)


@pytest.fixture(scope="module", params=["plain", "watched"])
def endpoint(request, serving, target, tmp_path_factory):
    """An endpoint without a layer, and one with all of them; either has two releases."""
    settings = {"max_rows": 50}
    if request.param == "watched":
        log = tmp_path_factory.mktemp("watched") / "access.log"
        settings |= {"api_keys": {"mobile": KEY}, "metrics": True, "access_log": log}
    with serving(target(1), target(2, weight=0.0), **settings) as client:
        client.log = settings.get("access_log")
        yield client


@pytest.mark.parametrize("name", REQUESTS)
def test_what_is_answered_directly_is_answered_as_before(endpoint, direct, name):
    """Byte by byte, whether its body comes with its header or after it, and it is noted alike."""
    sent = request(*REQUESTS[name])
    head = sent.index(b"\r\n\r\n") + 4
    before = noted(endpoint)
    answers = []
    with connected(endpoint) as (link, stream):
        for cut in (0, 0, head, 0):
            link.sendall(sent[:cut])
            if cut:
                # Its head is seen alone: another connection is answered after that.
                endpoint.get("/v2/health/live")
            link.sendall(sent[cut:])
            answers.append(read(stream))
    assert len(direct) == (0 if name in NOT_DIRECT else 3)
    assert set(answers) == {answers[0]}
    assert answers[0][0].startswith(b"HTTP/1.1 ")
    if endpoint.log is not None:
        wait_until(lambda: len(noted(endpoint)) == len(before) + 4)
        lines = noted(endpoint)[len(before) :]
        assert lines == [lines[0]] * 4
        assert lines[0]["caller"] == "mobile"


def noted(endpoint):
    """What the access log says of requests, but when they came and how long they took."""
    if endpoint.log is None or not endpoint.log.exists():
        return []
    # The latest line may be on its way to the disk.
    *whole, _ = endpoint.log.read_text().split("\n")
    lines = map(json.loads, whole)
    return [
        {name: value for name, value in line.items() if name not in ("time", "seconds")}
        for line in lines
        if not line["path"].startswith("/v2/health")
    ]


def test_a_caller_over_its_rate_is_told_so(serving, target, direct, monkeypatch):
    """And one whose key is none is not let in, however often it asks."""
    at_once = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr("interlock_serving.layers.access.time", at_once)
    settings = {"api_keys": {"mobile": KEY}, "rate_limit": 3.0}
    with serving(target(1), **settings) as client, connected(client) as (link, stream):
        answers = []
        for _ in range(5):
            link.sendall(request(INFER, body_of(ROW), {}))
            answers.append(read(stream)[0])
        assert [answer.split()[1] for answer in answers] == [b"200"] * 3 + [b"429"] * 2
        assert b"retry-after: 1\r\n" in answers[-1]
        for _ in range(3):
            link.sendall(request(INFER, body_of(ROW), {}, key="x" * 32))
            assert read(stream)[0].split()[1] == b"401"
    assert len(direct) == 6


def test_one_whose_time_is_over_before_its_turn_is_told_so(serving, target, logistic, direct):
    """And one that waits for a model that does not answer."""
    model = logistic(1.0)
    with (
        serving(target(1, model), answer_seconds=5) as client,
        connected(client) as (link, stream),
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        short = request(INFER, body_of(ROW, parameters={"timeout": 20_000}), {})
        link.sendall(short)
        assert read(stream)[0].split()[1] == b"200"
        model.may_answer.clear()
        asked = len(model.batches)
        other = pool.submit(client.infer, ROW)
        wait_until(lambda: len(model.batches) > asked)
        link.sendall(short)
        assert read(stream)[0].split()[1] == b"504"
        assert other.result()[0] == 503
        model.may_answer.set()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200)
        link.sendall(short)
        assert read(stream)[0].split()[1] == b"200"
        (counted,) = client.get("/v2/health/ready")[1]["traffic"]
    assert (counted["requests"], counted["failed"]) == (4, 2)
    assert len(direct) == 2


def test_requests_behind_one_that_waits_are_answered_in_order(serving, target, logistic, direct):
    """Those that a client sends ahead are parsed, and wait for the answer before them."""
    model = logistic(1.0)
    with serving(target(1, model)) as client, connected(client) as (link, stream):
        asked = [request(INFER, body_of({**ROW, "age": age}), {}) for age in (40, 41, 42, 43)]
        link.sendall(asked[0])
        first = read(stream)
        model.may_answer.clear()
        link.sendall(asked[1])
        wait_until(lambda: len(direct) == 1)
        link.sendall(asked[2] + asked[3] + asked[0])
        client.get("/v2/health/live")
        model.may_answer.set()
        answers = [read(stream) for _ in range(4)]
        link.sendall(asked[1])
        assert read(stream) == answers[0]
    scores = [json.loads(content)["outputs"][1]["data"][0] for _, content in answers]
    assert scores == pytest.approx([model.score(**{**ROW, "age": age}) for age in (41, 42, 43, 40)])
    assert answers[3] == first
    assert len(direct) == 2


def test_a_client_that_is_gone_harms_nobody(serving, target, logistic, direct, caplog):
    """Its answer is recorded as any other, and goes nowhere."""
    model = logistic(1.0)
    with serving(target(1, model)) as client:
        with connected(client) as (link, stream):
            link.sendall(request(INFER, body_of(ROW), {}))
            read(stream)
            model.may_answer.clear()
            link.sendall(request(INFER, body_of(ROW), {}))
            wait_until(lambda: len(direct) == 1)
        client.get("/v2/health/live")
        model.may_answer.set()
        assert client.infer(ROW)[0] == 200
    assert len(client.captures.all) == 3
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_answer_that_cannot_be_written_spoils_no_other(
    serving, target, direct, caplog, monkeypatch
):
    """It is a fault of ours: told as one, and logged."""
    write = writing.write_answer

    def failing(name, release, request_id, *rest):
        if request_id == "broken":
            raise ZeroDivisionError
        return write(name, release, request_id, *rest)

    monkeypatch.setattr("interlock_serving.app.write_answer", failing)
    with serving(target(1)) as client, connected(client) as (link, stream):
        for name, status in (("fine", b"200"), ("broken", b"500"), ("fine", b"200")):
            sent = request(INFER, body_of(ROW, id=name.ljust(6, "-").replace("--", "")), {})
            link.sendall(sent)
            answer = read(stream)
            assert answer[0].split()[1] == status
            if status == b"500":
                assert json.loads(answer[1]) == {"error": "the server failed: ZeroDivisionError"}
    assert [record.message for record in caplog.records] == ["request broken failed"]


def test_an_observer_that_fails_keeps_no_answer_back(
    serving, target, logistic, direct, caplog, monkeypatch, tmp_path
):
    """Of those that were scored together each is answered, and recorded."""

    def failing(_):
        if direct:
            raise ZeroDivisionError

    monkeypatch.setattr("interlock_serving.layers.access_log.access_log", lambda *_: failing)
    model = logistic(1.0)
    with (
        serving(target(1, model), access_log=tmp_path / "log") as client,
        contextlib.ExitStack() as opened,
    ):
        links = [opened.enter_context(connected(client)) for _ in range(4)]
        sent = request(INFER, body_of(ROW), {})
        for link, stream in links:
            link.sendall(sent)
            read(stream)
        model.may_answer.clear()
        for link, _ in links:
            link.sendall(sent)
        wait_until(lambda: len(direct) == 4)
        model.may_answer.set()
        assert [read(stream)[0].split()[1] for _, stream in links] == [b"200"] * 4
    assert len(client.captures.all) == 8
    assert [record.message for record in caplog.records] == ["request call-1 was not noted"] * 4


def test_mirrors_have_copies(serving, target, logistic, direct):
    """Also of what is answered directly, and they never answer."""
    with (
        serving(target(1), target(2, logistic(5.0), mirror=True)) as client,
        connected(client) as (link, stream),
    ):
        for _ in range(3):
            link.sendall(request(INFER, body_of(ROW), {}))
            assert json.loads(read(stream)[1])["model_version"] == "release-1"
        wait_until(lambda: len(client.captures.all) == 6)
    assert sorted(capture.mirror for capture in client.captures.all) == [False] * 3 + [True] * 3
    assert len(direct) == 2


def test_what_waits_when_the_server_stops_is_answered(serving, target, logistic, direct):
    """Its connection is closed after that."""
    model = logistic(1.0)
    with serving(target(1, model)) as client, connected(client) as (link, stream):
        sent = request(INFER, body_of(ROW), {})
        link.sendall(sent)
        before = read(stream)
        model.may_answer.clear()
        link.sendall(sent)
        wait_until(lambda: len(direct) == 1)
        client.running.stop()
        wait_until(lambda: not direct[0].keep_alive)
        model.may_answer.set()
        head, content = read(stream)
        assert (head.split()[1], content) == (b"200", before[1])
        assert b"connection: close\r\n" in head
        assert stream.read() == b""


@pytest.mark.parametrize("known", [False, True])
def test_what_cannot_be_answered_when_the_server_ends_is_told_so(
    serving, target, logistic, direct, known
):
    """A model that hangs keeps no server from ending; who waits for it is told."""
    model = logistic(1.0)
    with serving(target(1, model), drain_seconds=1) as client:
        with connected(client) as (link, stream):
            sent = request(INFER, body_of(ROW), {})
            if known:
                link.sendall(sent)
                read(stream)
            model.may_answer.clear()
            link.sendall(sent)
            wait_until(lambda: client.running._app.router.models[0]._scoring)
            client.running.stop()
            head, content = read(stream)
            assert head.split()[1] == b"503"
            assert json.loads(content) == {"error": "the server ends"}
            assert b"connection: close\r\n" in head
            assert stream.read() == b""
        model.may_answer.set()
    assert len(direct) == known


def test_http_clients_of_all_kinds_are_answered(serving, target, direct):
    """One that sends head and body apart, as Python's own does, is known from its second on."""
    with serving(target(1)) as client, client.connect() as connection:
        for _ in range(4):
            assert client.infer(ROW, connection=connection)[0] == http.client.OK
    assert len(direct) == 3
