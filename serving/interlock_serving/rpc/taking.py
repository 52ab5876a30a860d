"""Answers that nobody takes: gRPC would keep them, and the places of their calls, for ever.

A client that is alive may leave the window of HTTP/2 shut: it acknowledges bytes and pings, and
takes nothing of its answer. gRPC has a bound on how long a call may take only where the client
says it, and no way to end one call from here. So its connection is closed, as it is over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipaddress import IPv4Address

_PART = 2**16
"""Bytes of an answer that have the time to themselves, about as over HTTP. So a client with a slow
line, and with many answers at once on it, keeps its connection."""

_OPEN_FILES = (Path("/proc/self/fd"), Path("/dev/fd"))
"""Where a system lists what a process has open: Linux, then others."""


class Taking:
    """Sees to it that answers are taken.

    Args:
        seconds: for each begun 64 KiB of an answer, from when it is ready.

    Attributes:
        port: where the server listens; 0 before it does.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.port = 0

    def watch(self, context: Any, client: tuple[str, int] | None, size: int) -> None:
        """Close a call's connection where its answer is not taken in time.

        Args:
            context: the `grpc.aio.ServicerContext` of the call.
            client: where it comes from; None where nobody knows, which is not watched.
            size: of the answer, in bytes.
        """
        if client is None:
            return
        loop, seconds = asyncio.get_running_loop(), seconds_for(size, self._seconds)
        late = loop.call_later(seconds, close_connection, client, self.port)
        # Told when the answer is with the client's system, or the call has ended without.
        context.add_done_callback(lambda _: late.cancel())


def seconds_for(size: int, seconds: float) -> float:
    """How long an answer may take to be taken.

    Args:
        size: of the answer, in bytes.
        seconds: for each begun 64 KiB.

    >>> [seconds_for(size, 30.0) for size in (0, 2**16 - 1, 2**16, 5 * 2**16)]
    [30.0, 30.0, 60.0, 180.0]
    """
    return seconds * (1 + size // _PART)


def close_connection(client: tuple[str, int], port: int) -> bool:
    """Close a connection of this process, whichever library has it; it hears of it as of any end.

    Args:
        client: the other side's address and port.
        port: this side's.

    Returns:
        Whether there was one.
    """
    wanted = _side(client)
    folder = next(filter(Path.is_dir, _OPEN_FILES), None)
    for entry in folder.iterdir() if folder else ():
        with contextlib.suppress(OSError), _copy(int(entry.name)) as link:
            if link.getsockname()[1] == port and _side(link.getpeername()) == wanted:
                link.shutdown(socket.SHUT_RDWR)
                return True
    return False


@contextlib.contextmanager
def _copy(descriptor: int) -> Iterator[socket.socket]:
    """A copy of a descriptor: its owner may close that and open another in this moment.

    Raises:
        OSError: it is none of an internet socket, or is closed.
    """
    copy = os.dup(descriptor)
    try:
        link = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with link:
        if link.family not in (socket.AF_INET, socket.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        yield link


def _side(name: Any) -> tuple[IPv4Address | IPv6Address, int]:
    """An address and a port, IPv4 as such where it comes through a socket of IPv6."""
    address = ip_address(name[0].partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address, name[1]
