"""An endpoint of several processes: one address, one status, one start and one end."""

import json
import logging
import os
import signal
import socket
from types import SimpleNamespace

import pytest
from asking import ROW
from many_workers import alive, endpoint
from rpc_client import channel

from interlock_hookspecs import Unsupported
from interlock_serving import ServerSettings, serve_endpoint

pytestmark = pytest.mark.real_backend


def test_the_status_tells_of_all_workers(two):
    """Two processes, neither of them the one that was started; what they counted is added up."""
    release, workers = two.swap(), two.settle()
    captured = two.folder / "captures"
    lines = len(captured.read_text().splitlines())
    assert len(set(workers)) == 2
    assert two.process.pid not in workers
    for number in range(30):
        with two.connect() as link:
            assert two.infer(link, f"call-{number}")[0] == 200
    two.until(lambda: two.asked == 30)
    said = two.ready
    assert (said["ready"], said["serving"], said["problem"]) == (True, [release], "")
    labels = f'{{model_name="employment",model_version="{release}"}}'
    two.until(lambda: f"model_infer_request_success_total{labels} 30.0" in two.get("/metrics"))
    two.until(lambda: len(captured.read_text().splitlines()) == lines + 30)


def test_a_swap_reaches_every_worker(two):
    """A release is said to be served once every worker serves it; then every answer is its."""
    release = two.swap()
    for _ in range(20):
        with two.connect() as link:
            assert two.infer(link)[1]["model_version"] == release


def test_workers_share_the_port_of_grpc(two):
    """Each answers there; after one is killed, its successor does, too."""
    two.swap()
    address = two.ready["grpc"]
    apart = [("grpc.use_local_subchannel_pool", 1)]

    def both_answer(workers):
        with channel(two, options=apart, at=address) as asked:
            assert asked.infer(ROW).outputs
        # The latest line may be on its way to the disk.
        *whole, _ = (two.folder / "access.log").read_text().split("\n")
        lines = map(json.loads, whole)
        answered = {line["worker"] for line in lines if line.get("grpc_code") == "OK"}
        return answered >= set(workers)

    workers = two.settle()
    two.until(lambda: both_answer(workers))
    os.kill(workers[0], signal.SIGKILL)
    two.until(lambda: workers[0] not in two.workers)
    successors = two.settle()
    assert two.ready["grpc"] == address
    two.until(lambda: both_answer(successors))


def test_what_is_in_flight_is_answered_before_the_end(tmp_path):
    """After SIGTERM a request that a model works on is answered, and no process is left."""
    with endpoint(tmp_path, workers=2, held=True) as running:
        workers = running.workers
        with running.slow() as answers:
            running.process.terminate()
            # The address is gone when the supervisor has heard it.
            running.until(lambda: not listens(running.address))
        assert running.process.wait(120) == 0
    assert answers == [200]
    assert not any(map(alive, workers))


def listens(address):
    with socket.socket() as link:
        return link.connect_ex(address) == 0


def test_workers_do_not_outlive_their_supervisor(tmp_path):
    """When it is killed, they end by themselves."""
    with endpoint(tmp_path, workers=2) as running:
        workers = running.workers
        running.process.kill()
        running.process.wait(60)
        running.until(lambda: not any(map(alive, workers)))


def test_workers_that_cannot_start_are_told(tmp_path):
    """The endpoint ends with what is wrong, instead of trying for ever."""
    gone = str(tmp_path / "gone" / "access.log")
    with endpoint(tmp_path / "home", workers=2, access_log=gone) as running:
        assert running.process.wait(120) == 1
    text = (tmp_path / "home" / "log").read_text()
    assert f"access_log {gone}: No such file" in text
    assert text.strip().endswith("a worker ended with exit code 1 before it listened")


def test_a_feed_that_cannot_be_repeated_has_one_worker(client):
    """A plugin that core did not start as a process says so."""
    workspace = SimpleNamespace(log=logging.getLogger("test"))
    with pytest.raises(Unsupported, match="workers = 1"):
        serve_endpoint(
            ServerSettings(workers=2),
            client.running._app.endpoint,
            client.feed,
            client.captures,
            workspace,
        )
