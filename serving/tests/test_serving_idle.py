"""Thousands of clients that hold a connection and ask nothing."""

import contextlib
import resource
import socket

import pytest
from asking import ROW

pytestmark = pytest.mark.real_backend

IDLE = 2_100


def is_open(link):
    link.setblocking(False)  # noqa: FBT003  (the socket's own way to say it)
    try:
        return link.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@contextlib.contextmanager
def open_files(count):
    """So many files may be open in this process meanwhile; both ends of a connection are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= count, f"this needs ulimit -Hn {count}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("taken", [100, 3_000])
def test_thousands_of_idle_connections_hinder_nobody(serving, target, taken):
    """More of them than the server takes, or all taken: those who ask are answered all the same."""
    with (
        open_files(2 * IDLE + 500),
        # On a busy machine it takes a while until all of them are there.
        serving(target(1), max_connections=taken, header_seconds=300, idle_seconds=300) as client,
        contextlib.ExitStack() as idle,
        client.connect() as connection,
    ):
        assert client.infer(ROW, connection=connection)[0] == 200
        links = [
            idle.enter_context(socket.create_connection(client.at, timeout=60)) for _ in range(IDLE)
        ]
        for _ in range(20):
            assert client.infer(ROW)[0] == 200
        assert client.infer(ROW, connection=connection)[0] == 200
        held = sum(map(is_open, links))
        assert held <= taken
        assert held == IDLE or taken < IDLE
