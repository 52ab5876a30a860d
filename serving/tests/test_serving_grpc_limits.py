"""gRPC: the same keys, limits, counts and end as over HTTP."""

import concurrent.futures
import json
import logging
import re
import socket
import subprocess
import sys
import threading

import grpc
import psutil
import pytest
import rpc_frames
from asking import ENDPOINT, INFER, ROW, held
from rpc_client import SERVICE, channel, refused, request

from interlock_hookspecs import Unavailable
from interlock_serving import ServerSettings
from interlock_serving.rpc.front import Front
from interlock_serving.rpc.scope import client_of
from interlock_serving.server import EndpointServer

pytestmark = pytest.mark.real_backend

MOBILE, PROBE = "mobile-0123456789", "probe-0123456789"


def test_keys_rights_and_rates_are_those_of_http(serving, target):
    """Health is open; a key is for what it is for, and its rate is counted over both."""
    settings = {
        "api_keys": {"mobile": MOBILE, "probe": PROBE},
        "key_rights": {"probe": ("metrics",)},
        "rate_limits": {"mobile": 0.001},
    }
    with serving(target(1), grpc_port=0, **settings) as client, channel(client) as asked:
        assert asked.call("ServerLive").live
        assert asked.call("ServerReady").ready
        with refused("UNAUTHENTICATED", "no API key: send it as 'authorization: Bearer KEY'"):
            asked.infer(ROW)
        with refused("UNAUTHENTICATED", "the API key is not known here"):
            asked.infer(ROW, metadata=[("x-api-key", MOBILE + "x")])
        with refused("UNAUTHENTICATED"):
            asked.call("ModelMetadata", name="employment")
        with refused("PERMISSION_DENIED", "the key 'probe' is not for this: it may metrics"):
            asked.infer(ROW, metadata=[("x-api-key", PROBE)])
        bearer = [("authorization", f"Bearer {MOBILE}")]
        assert asked.infer(ROW, metadata=bearer).outputs
        with refused("RESOURCE_EXHAUSTED", "'mobile' asks too often") as failure:
            asked.infer(ROW, metadata=bearer)
        told = dict(failure.value.trailing_metadata())
        assert 1 <= int(told["retry-after"]) <= 1_000
        assert int(told["grpc-retry-pushback-ms"]) == 1_000 * int(told["retry-after"])
        assert client.call("POST", INFER, {}, x_api_key=MOBILE)[0] == 429
        assert asked.call("ModelReady", name="employment", metadata=bearer).ready


def test_nothing_to_serve_is_unavailable(serving):
    """Readiness says so, and a prediction may be tried again."""
    with serving(grpc_port=0) as client, channel(client) as asked:
        assert not asked.call("ServerReady").ready
        with refused("UNAVAILABLE", "no release is served here") as failure:
            asked.infer(ROW)
        assert dict(failure.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"


def test_a_model_that_fails_is_internal(serving, target, logistic):
    """As HTTP's 500: what it raised is told by its type."""
    model = logistic(17.0)
    with (
        serving(target(1, model), grpc_port=0) as client,
        channel(client) as asked,
        refused("INTERNAL", "the model failed: ZeroDivisionError"),
    ):
        asked.infer({"age": 0, "income": 0.0, "city": ""})


def said_of(client):
    return client.get("/v2/health/ready")[1]["traffic"][0]


def test_a_call_past_its_deadline_is_dropped_and_counted(serving, target, logistic):
    """A queued one is never scored; what the client waits for no longer counts as failed."""
    model = logistic(1.0)
    settings = {"grpc_port": 0, "metrics": True, "queue_rows": 1}
    with serving(target(1, model), **settings) as client, channel(client) as asked:
        assert asked.call("ServerLive").live  # connected: what follows arrives in its time
        with held(client, model):
            with refused("DEADLINE_EXCEEDED"):
                asked.infer(ROW, timeout=5)
            client.until(lambda: said_of(client)["failed"] == 1)
            # The place in the queue is free again, for the same number of rows.
            future = asked.link.unary_unary(f"/{SERVICE}/ModelInfer").future(
                request(ROW).SerializeToString(), timeout=60
            )
            client.until(lambda: queued(client) == 1)
            future.cancel()
            client.until(lambda: said_of(client)["failed"] == 2)
            assert queued(client) == 0
        assert sum(model.batches) == 1
        client.until(lambda: sum(float(count) for _, count in codes(client)) == 2)
        text = metrics(client)
        labels = '{model_name="employment",model_version="release-1"}'
        assert f"model_infer_request_expired_total{labels} 2.0" in text
        # A client that is slow to send has met its deadline while the server has time left.
        assert {code for code, _ in codes(client)} <= {"DEADLINE_EXCEEDED", "CANCELLED"}


def metrics(client):
    with client.connect() as link:
        link.request("GET", "/metrics")
        return link.getresponse().read().decode()


def codes(client):
    """The codes of the calls for predictions, each with how often it was given."""
    said = r'grpc_server_handled_total{grpc_code="(\w+)".*ModelInfer.* (\S+)'
    return re.findall(said, metrics(client))


def queued(client):
    return client.running._app.router.models[0]._queue.rows


def test_a_call_that_is_scored_past_its_deadline_is_not_recorded(serving, target, logistic):
    """Nobody got the answer: it is counted once, as expired."""
    model = logistic(1.0)
    model.may_answer.clear()
    with serving(target(1, model), grpc_port=0) as client, channel(client) as asked:
        assert asked.call("ServerLive").live
        try:
            with refused("DEADLINE_EXCEEDED"):
                asked.infer(ROW, timeout=5)
            client.until(lambda: said_of(client)["failed"] == 1)
        finally:
            model.may_answer.set()
        assert asked.infer(ROW, id="later").outputs
        client.until(lambda: client.captures.all)
        assert [each.request_id for each in client.captures.all] == ["later"]
        said = said_of(client)
        assert (said["requests"], said["failed"]) == (2, 1)


@pytest.mark.parametrize("over", ["http", "grpc"])
def test_the_parameter_timeout_drops_what_waits(serving, target, logistic, over):
    """Microseconds, as Triton's clients send it: 504 or DEADLINE_EXCEEDED, counted."""
    model = logistic(1.0)
    with serving(target(1, model), grpc_port=0) as client, channel(client) as asked:
        with held(client, model):
            if over == "http":
                status, value = client.infer(ROW, parameters={"timeout": 50_000})
                assert status == 504
                assert value == {"error": "the request's time was over before its turn came"}
            else:
                with refused("DEADLINE_EXCEEDED", "the request's time was over"):
                    asked.infer(ROW, parameters={"timeout": 50_000})
            assert said_of(client)["failed"] == 1
        assert sum(model.batches) == 1
        for timeout in (0, 60_000_000, None):
            assert client.infer(ROW, parameters={"timeout": timeout})[0] == 200
        assert client.infer(ROW, parameters={"timeout": "soon"})[0] == 400


def test_a_model_has_as_many_requests_as_it_may(serving, target, logistic):
    """Over both protocols together; the next one is told to come again."""
    model = logistic(1.0)
    settings = {"grpc_port": 0, "max_concurrency": 2}
    with serving(target(1, model), **settings) as client, channel(client) as asked:
        with held(client, model), concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(asked.infer, ROW)
            client.until(lambda: queued(client) == 1)
            status, headers, value = client.call("POST", INFER, body())
            assert (status, headers["retry-after"]) == (429, "1")
            assert value["error"] == "2 requests are with release-1: try again soon"
            with refused("RESOURCE_EXHAUSTED", "2 requests are with release-1"):
                asked.infer(ROW)
            model.may_answer.set()
            assert waiting.result(60).outputs
        assert client.infer(ROW)[0] == 200


def body():
    return {
        "inputs": [
            {"name": "age", "datatype": "INT64", "shape": [1], "data": [40]},
            {"name": "income", "datatype": "FP64", "shape": [1], "data": [1.0]},
            {"name": "city", "datatype": "BYTES", "shape": [1], "data": ["Lowell"]},
        ]
    }


def test_what_is_in_flight_is_answered_before_the_end(serving, target, logistic):
    """Told to stop, the server takes no more calls and answers those that it has."""
    model = logistic(1.0)
    model.may_answer.clear()
    with (
        serving(target(1, model), grpc_port=0) as client,
        channel(client) as asked,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(asked.infer, ROW)
        client.until(lambda: model.batches)
        client.running.stop()
        client.until(lambda: not listens(client.running._app.grpc))
        model.may_answer.set()
        assert waiting.result(60).outputs


def listens(address):
    host, _, port = address.rpartition(":")
    with socket.socket() as link:
        return link.connect_ex((host, int(port))) == 0


def test_a_call_whose_message_does_not_come_is_ended(serving, target):
    """It holds its place for as long as a body may take; a call without a message is none."""
    with serving(target(1), grpc_port=0, body_seconds=4) as client, channel(client) as asked:
        call = asked.link.stream_unary(f"/{SERVICE}/ModelInfer")
        release = threading.Event()
        try:
            with refused("DEADLINE_EXCEEDED", "the call's message did not arrive in time"):
                call((each for each in [release] if each.wait(60)), timeout=60)
        finally:
            release.set()
        with refused("INVALID_ARGUMENT", "no message"):
            call(iter(()), timeout=60)
        assert asked.infer(ROW).outputs


def test_connections_are_bounded(serving, target):
    """One too many is refused, until another is gone."""
    apart = [("grpc.use_local_subchannel_pool", 1)]
    with serving(target(1), grpc_port=0, max_connections=2) as client:
        at = client.running._app.grpc
        with (
            channel(client, options=apart, at=at) as one,
            channel(client, options=apart, at=at) as two,
        ):
            assert one.infer(ROW).outputs
            assert two.infer(ROW).outputs
            with channel(client, options=apart, at=at) as other, refused("UNAVAILABLE"):
                other.infer(ROW)
            assert one.infer(ROW).outputs

        def answered():
            with channel(client, options=apart, at=at) as late:
                try:
                    return late.infer(ROW).outputs
                except grpc.RpcError:
                    return None

        client.until(answered)


def test_a_silent_connection_is_closed(serving, target):
    """By the time that a header may take; what it was sent until then was gRPC's greeting."""
    with serving(target(1), grpc_port=0, header_seconds=0.5) as client:
        host, _, port = client.running._app.grpc.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=60) as silent:
            while silent.recv(1_000):
                pass


def test_a_client_that_does_not_take_its_answer_is_cut_off(serving, target):
    """Its connection is closed after the time that a client has for that."""
    message = request(*[ROW] * 1_500, raw=True).SerializeToString()
    with serving(target(1), grpc_port=0, write_seconds=1) as client, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = client.running._app.grpc.rpartition(":")
        deaf.connect((host, int(port)))
        deaf.sendall(rpc_frames.greeting() + rpc_frames.call(message))
        client.until(lambda: said_of(client)["requests"] == 1)

        def there():
            found = psutil.Process().net_connections("tcp")
            return [each for each in found if each.raddr and each.raddr == deaf.getsockname()]

        client.until(lambda: not there())


def test_the_first_call_finds_what_is_served(serving, target, monkeypatch):
    """Before anybody can ask, the models are there."""
    served = []
    start = Front.start

    async def noted(front):
        served.append(bool(front._calls._app.router.models))
        await start(front)

    monkeypatch.setattr(Front, "start", noted)
    with serving(target(1), grpc_port=0) as client, channel(client) as asked:
        assert asked.infer(ROW).outputs
    assert served == [True]


def test_a_taken_port_is_told(client):
    """Before anything is served, with the setting's name."""
    feed, captures = type(client.feed)(), type(client.captures)()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = ServerSettings(grpc_port=taken.getsockname()[1])
        second = EndpointServer(settings, ENDPOINT, feed, captures, logging.getLogger("test"))
        with pytest.raises(Unavailable, match="for gRPC: set another grpc_port"):
            second.run()
    assert not feed.told


def test_calls_are_lines_of_the_access_log(serving, target, tmp_path):
    """With the code beside the status that it stands for, and who asked."""
    log = tmp_path / "access.log"
    settings = {"access_log": log, "api_keys": {"mobile": MOBILE}}
    with serving(target(1), grpc_port=0, **settings) as client, channel(client) as asked:
        asked.infer(ROW, id="call-1", metadata=[("x-api-key", MOBILE)])
        with refused("UNAUTHENTICATED"):
            asked.infer(ROW)
        client.until(lambda: log.read_text().count("\n") >= 3)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    good, bad = (line for line in lines if "grpc_code" in line)
    assert (good["request_id"], good["status"], good["grpc_code"]) == ("call-1", 200, "OK")
    assert (good["path"], good["method"]) == (f"/{SERVICE}/ModelInfer", "POST")
    assert (good["caller"], good["client"], good["bytes"] > 0) == ("mobile", "127.0.0.1", True)
    assert (bad["status"], bad["grpc_code"], bad["caller"]) == (401, "UNAUTHENTICATED", "")


def test_without_the_setting_nothing_listens_and_nothing_is_loaded(client):
    """Neither in the readiness, nor as a library of the process."""
    assert "grpc" not in client.get("/v2/health/ready")[1]
    assert client.running._front is None
    script = "import sys, interlock_serving.server; sys.exit('grpc' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_missing_library_is_named_by_its_extra(client, monkeypatch):
    """What to install."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    log = logging.getLogger("test")
    with pytest.raises(Unavailable, match=r"pip install 'interlock-serving\[grpc\]'"):
        Front(ServerSettings(grpc_port=0), None, None, None, log)


def test_where_a_call_comes_from():
    """An address and a port; anything else has none."""
    assert client_of("ipv4:127.0.0.1:80") == ("127.0.0.1", 80)
    assert client_of("unix:/tmp/socket") is None
