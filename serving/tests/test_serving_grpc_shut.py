"""gRPC clients that live, and take nothing of their answers: their calls end, and nobody else's."""

import contextlib
import itertools
import logging
import socket
import threading
import time

import grpc
import pytest
import rpc_frames
from asking import ROW
from grpc._cython import cygrpc
from rpc_client import channel, request

from interlock_serving.rpc.taking import close_connection

pytestmark = pytest.mark.real_backend

MANY = 1_500
"""Rows whose answer no connection has room for by itself."""


class Alive:
    """A client that answers every greeting and ping, and takes as much of an answer as it says."""

    def __init__(self, client, window):
        host, _, port = client.running._app.grpc.rpartition(":")
        self.link = socket.create_connection((host, int(port)), timeout=60)
        self.link.sendall(rpc_frames.greeting(window))
        self.closed = threading.Event()
        self.pings, self.taken = 0, 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, stream):
        """Send a call with many rows."""
        message = request(*[ROW] * MANY, raw=True).SerializeToString()
        self.link.sendall(rpc_frames.call(message, stream))

    def _read(self):
        with contextlib.suppress(OSError), self.link.makefile("rb") as said:
            while len(head := said.read(9)) == 9:
                content = said.read(int.from_bytes(head[:3], "big"))
                self.pings += head[3] == rpc_frames.PING
                self.taken += len(content) * (head[3] == rpc_frames.DATA)
                if answer := rpc_frames.answer_to(head[3], head[4], content):
                    self.link.sendall(answer)
        self.closed.set()


@pytest.fixture
def connect():
    """Connect such a client; it is gone with the test."""
    with contextlib.ExitStack() as stack:

        def make(client, window):
            made = Alive(client, window)
            stack.callback(made._reader.join, 60)
            stack.callback(made.link.close)
            stack.callback(made.link.shutdown, socket.SHUT_RDWR)
            return made

        yield make


def turned_away(asked):
    """Whether there is no place for a call."""
    try:
        asked.infer(ROW)
    except grpc.RpcError as error:
        return "Concurrent RPC limit exceeded" in error.details()
    return False


def test_calls_whose_answers_nobody_takes_end(serving, target, connect, caplog):
    """They have the places of others until then; their connection is closed, and it is heard."""
    with serving(target(1), grpc_port=0, write_seconds=10, max_connections=2) as client:
        with channel(client) as asked:
            assert asked.infer(ROW).outputs  # connected: what follows is seen in its time
            shut, streams = connect(client, window=0), itertools.count(1, 2)
            # A call may find the places taken by those that are answered in this moment.
            began = time.monotonic()
            client.until(lambda: shut.ask(next(streams)) or turned_away(asked))
            assert shut.closed.wait(60)
            assert time.monotonic() - began > 9
            client.until(lambda: not turned_away(asked))
            assert asked.infer(ROW).outputs
        assert shut.taken == 0
    assert not [line for line in caplog.records if line.name.startswith("grpc")]


def test_a_client_that_takes_its_answer_slowly_keeps_its_connection(serving, target, connect):
    """What is taken in time ends the watch; the next answer has its own."""
    with serving(target(1), grpc_port=0, write_seconds=8) as client:
        slow = connect(client, window=0)
        for stream in (1, 3, 5):
            slow.ask(stream)
            assert not slow.closed.wait(3)
            slow.link.sendall(rpc_frames.more(stream, rpc_frames.MOST))
        client.until(lambda: slow.taken > 3 * MANY * 8)
        assert not slow.closed.is_set()


def test_one_connection_is_closed_and_no_other():
    """Known by both of its sides, though its client has the same port towards another of ours."""
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [one.getsockname()[1] for one in listening]
        clients, accepted = [], []
        for one, source in zip(listening, (0, None), strict=True):
            link = stack.enter_context(socket.socket())
            link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            link.bind(("127.0.0.1", clients[0].getsockname()[1] if source is None else 0))
            link.settimeout(60)
            link.connect(one.getsockname())
            clients.append(link)
            accepted.append(stack.enter_context(one.accept()[0]))
        mine = clients[0].getsockname()
        assert mine == clients[1].getsockname()
        assert close_connection(mine, ports[0])
        assert clients[0].recv(1) == b""
        clients[1].settimeout(0.2)
        with pytest.raises(TimeoutError):
            clients[1].recv(1)
        clients[1].settimeout(60)
        assert not close_connection((mine[0], 1), ports[1])
        # As it is called where it comes through a socket of IPv6.
        assert close_connection((f"::ffff:{mine[0]}", mine[1]), ports[1])
        assert clients[1].recv(1) == b""


def test_faults_in_the_words_of_a_client_that_is_gone_are_told(serving, target, caplog):
    """By the error's kind and where it comes from: another one, or from elsewhere, is told."""
    words = "ExecuteBatchError raised in core by servicer method [/inference.X/ModelInfer]"
    errors = (
        None,
        ValueError('Failed "execute_batch": ()'),
        cygrpc.ExecuteBatchError('Failed "execute_batch": ()'),
        cygrpc.ExecuteBatchError("Failed grpc_call_start_batch: 8"),
    )
    with serving(target(1), grpc_port=0):
        told = logging.getLogger("grpc._cython.cygrpc")
        for error in errors:
            try:
                if error is not None:
                    raise error
                told.error(words)
            except (ValueError, cygrpc.ExecuteBatchError):
                told.exception(words)
    assert caplog.messages.count(words) == len(errors)
