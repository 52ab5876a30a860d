"""Clients that would rather speak HTTP/2 are answered in this one: Java's, and `curl --http2`."""

import contextlib
import json
import socket
import time

import pytest
from asking import INFER, ROW

pytestmark = pytest.mark.real_backend

WISH = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")


def request(body, *more, version="1.1"):
    lines = [f"POST {INFER} HTTP/{version}", "Host: x", *more]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
def body(tensors):
    return json.dumps({"inputs": tensors(ROW)}).encode()


def statuses(client, sent, pieces=None):
    """The status of each answer until the server closes."""
    size = pieces or len(sent)
    parts = []
    with socket.create_connection(client.at, timeout=60) as link:
        for at in range(0, len(sent), size):
            link.sendall(sent[at : at + size])
            time.sleep(0.01 if pieces else 0)
        with contextlib.suppress(ConnectionResetError):
            while part := link.recv(65536):
                parts.append(part)
    heads = b"".join(parts).split(b"HTTP/1.1 ")
    return [int(each[:3]) for each in heads[1:]]


@pytest.mark.parametrize("pieces", [None, 60])
def test_the_body_behind_the_wish_is_read(shared, body, pieces):
    """The request is answered as it stands, and so is what follows on the connection."""
    length = f"Content-Length: {len(body)}"
    sent = request(body, length, *WISH) * 2 + request(body, length, "Connection: close")
    assert statuses(shared, sent, pieces) == [200, 200, 200]


def test_so_it_is_in_chunks(shared, body):
    """A client that does not know the length of its body sends it so."""
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    last = request(body, f"Content-Length: {len(body)}", "Connection: close")
    sent = request(chunks, "Transfer-Encoding: chunked", *WISH) + last
    assert statuses(shared, sent) == [200, 200]


def test_an_old_client_is_answered_too(shared, body):
    """HTTP/1.0 knows no such wish: it is passed over, and the connection ends with the answer."""
    sent = request(body, f"Content-Length: {len(body)}", *WISH, version="1.0")
    assert statuses(shared, sent) == [200]


@pytest.mark.parametrize("more", ["Transfer-Encoding: chunked", "Content-Length: 3"])
def test_the_wish_hides_no_length(shared, body, more):
    """Two lengths are refused as ever."""
    sent = request(body, f"Content-Length: {len(body)}", *WISH, more)
    assert statuses(shared, sent) == [400]


def test_nobody_is_connected_to_elsewhere(shared):
    """CONNECT is refused, and the connection closed."""
    assert statuses(shared, b"CONNECT example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n") == [400]
