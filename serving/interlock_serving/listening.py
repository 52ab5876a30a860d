"""The socket of an endpoint, and the address that reaches it."""

from __future__ import annotations

import socket

from interlock_hookspecs import Unavailable

BACKLOG = 2048
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (recognised, not listened on)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that listens.

    Args:
        host, port: where; port 0 takes a free one.
        shared: whether more sockets of ours may listen there; the system deals out connections.

    Raises:
        Unavailable: the address is taken or is not this machine's.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, proto)
    except OSError as error:
        raise Unavailable(f"no address {host!r} here: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        # Listening now, not later in the loop, so that a taken port is seen here on every system.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            "set another port, or 0 for a free one"
        ) from error
    return listener


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


def reserve(host: str, port: int) -> socket.socket:
    """A socket that holds a port for listeners that share it, and listens not itself.

    Raises:
        Unavailable: the address is taken or is not this machine's.
    """
    # A shared port takes any number of sockets: that it is free is seen by one that is not.
    with listen(host, port) as probe:
        family, address = probe.family, probe.getsockname()
    holder = socket.socket(family, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(address)
    return holder
