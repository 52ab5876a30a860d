"""A server of ours that a command on another machine started: nobody here sees its process.

It follows the ledger wherever it is. So a command here writes down what is to be served, and
starts no second server for it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from interlock.processes import is_alive
from interlock.serving import process

if TYPE_CHECKING:
    from interlock_hookspecs import Deployment


def is_elsewhere(deployment: Deployment) -> bool:
    """Whether its process was started on another machine, so that nobody here knows if it lives."""
    return process.is_ours(deployment) and is_alive(process.identity(deployment)) is None


def is_out_of_reach(deployment: Deployment) -> bool:
    """Whether it is elsewhere, and has an address that is of that machine alone."""
    return is_elsewhere(deployment) and _is_loopback(urlsplit(deployment.address).hostname or "")


def host_of(deployment: Deployment) -> str:
    """The machine of its process, by name."""
    return process.identity(deployment).host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
