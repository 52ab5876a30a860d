"""The socket of an endpoint, and the address that reaches it."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interlock_hookspecs import Unavailable

if TYPE_CHECKING:
    from interlock_hookspecs import TargetFeed

BACKLOG = 2048
_INSTEAD = {
    errno.EADDRNOTAVAIL: "set host to an address of this machine",
    errno.EACCES: "set a port from 1024 on, or give the account the right to this one",
}
"""What to write instead, by what the system says; of any other error it is the port."""
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (recognised, not listened on)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that listens.

    Args:
        host, port: where; port 0 takes a free one.
        shared: whether more sockets of ours may listen there; the system deals out connections.

    Raises:
        Unavailable: the address is taken or is not this machine's.
    """
    return _bound(host, port, shared=shared, listening=True)


def claim(host: str, port: int, *, taken_over: int = 0) -> int:
    """A port for listeners that share it, once it is seen that nobody has it.

    A shared port takes any number of sockets: that it is free is seen by one that is not shared.
    Port 0 stays 0: the system gives the first of them one that nobody has. A port that was free a
    moment ago might be another endpoint's by then, and both would answer there.

    Args:
        host, port: where.
        taken_over: the port of a server whose place is taken, and which still has it; 0 where
            there is none.

    Raises:
        Unavailable: the address is taken or is not this machine's.
    """
    if port and port != taken_over:
        listen(host, port).close()
    return port


def port_taken_over(feed: TargetFeed) -> int:
    """The port of the server whose place this one takes; 0 where there is none."""
    return urlsplit(getattr(feed, "replaces", "")).port or 0


def address_of(listener: socket.socket, *, tls: bool) -> str:
    """Where clients on this machine reach the listener."""
    host, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{reachable(host, port)}"


def reachable(host: str, port: int) -> str:
    """How clients on this machine name what listens there.

    >>> reachable("::", 8001)
    '[::1]:8001'
    """
    return named(_WILDCARDS.get(host, host), port)


def named(host: str, port: int) -> str:
    """A host and a port as one word."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reserve(host: str, port: int, *, taken_over: int = 0) -> socket.socket:
    """A socket that holds a port for listeners that share it, and listens not itself.

    Args:
        host, port, taken_over: as `claim` has them.

    Raises:
        Unavailable: the address is taken or is not this machine's.
    """
    return _bound(host, claim(host, port, taken_over=taken_over), shared=True)


def _bound(host: str, port: int, *, shared: bool, listening: bool = False) -> socket.socket:
    # As bytes, a host is looked up as it is: a text would have Python load its tables of Unicode.
    name = host.encode() if host.isascii() else host
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, proto)
    except OSError as error:
        raise Unavailable(f"no address {host!r} here: {error.strerror}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        # Listening now, not later in the loop, so that a taken port is seen here on every system.
        if listening:
            bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        instead = _INSTEAD.get(error.errno or 0, "set another port, or 0 for a free one")
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}; {instead}") from error
    return bound
