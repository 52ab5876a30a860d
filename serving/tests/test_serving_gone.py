"""Clients that go away in the middle: nobody else notices, and the log stays quiet."""

import json
import logging
import socket
import struct

import pytest
from asking import INFER, ROW, wait_until

pytestmark = pytest.mark.real_backend

RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: closing tells the other side that the connection is broken."""


def test_a_client_that_sent_ahead_and_went_away_is_no_fault(
    serving, target, logistic, tensors, caplog
):
    """What it sent is scored, and its answers go nowhere; a request after it is answered."""
    body = json.dumps({"inputs": tensors(ROW)}).encode()
    head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    model = logistic(1.0, seconds=0.1)
    with caplog.at_level(logging.ERROR), serving(target(1, model)) as client:
        for ahead in (2, 3, 5):
            # Counted from before: the second may be in the model's hands before its client has
            # read the first's answer.
            second = len(model.batches) + 2
            with socket.create_connection(client.at, timeout=60) as link:
                link.sendall((head + body) * ahead)
                assert link.recv(65536).startswith(b"HTTP/1.1 200 ")
                wait_until(lambda least=second: len(model.batches) >= least)
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        assert client.infer(ROW)[0] == 200
    assert [record.message for record in caplog.records] == []
