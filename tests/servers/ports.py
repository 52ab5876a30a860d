"""Ports for servers that are told theirs, or that come back to it."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, and that no connection of another process comes from.

    They lie below those that the system gives out by itself: nobody is given one of them between
    its choice and its use, or while a server is away.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    choice = random.SystemRandom()
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            taken = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                port = choice.randrange(min(10_000, lowest // 2), lowest)
                taken.bind(("127.0.0.1", port))
                found.append(port)
        return found


def free_port() -> int:
    """One of them."""
    (found,) = free_ports(1)
    return found
