"""A call as the layers of HTTP see a request: its headers, who is on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from interlock_serving.http.asgi import PEER

if TYPE_CHECKING:
    from interlock_serving.http.asgi import Scope


def scope_of(context: Any, path: str, scheme: str) -> Scope:
    """The scope of a call.

    Args:
        context: the `grpc.aio.ServicerContext` of the call.
        path: of the service and its method.
        scheme: http or https.
    """
    scope: Scope = {
        "type": "grpc",
        "method": "POST",
        "path": path,
        "scheme": scheme,
        "headers": [
            (key.encode(), value if isinstance(value, bytes) else value.encode())
            for key, value in context.invocation_metadata() or ()
        ],
        "client": client_of(context.peer()),
    }
    if scheme == "https" and (name := _peer_name(context.auth_context())):
        scope[PEER] = name
    return scope


def header_of(scope: Scope, name: bytes) -> bytes:
    """The last header of a name; empty where there is none."""
    found = b""
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return found


def client_of(peer: str) -> tuple[str, int] | None:
    """Where a call comes from, out of gRPC's words for it.

    >>> client_of("ipv4:127.0.0.1:5001"), client_of("ipv6:%5B::1%5D:5001")
    (('127.0.0.1', 5001), ('::1', 5001))
    """
    kind, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return None
    return host.strip("[]"), int(port)


def _peer_name(shown: Any) -> str | None:
    """The name in a client's certificate, as `interlock_serving.wire.tls.peer_name` finds it.

    Args:
        shown: gRPC's properties of the other side, a list of bytes each.
    """
    if not shown.get("x509_pem_cert"):
        return None
    for kind in ("x509_common_name", "peer_uri", "peer_dns"):
        if names := shown.get(kind):
            return str(names[0], "utf-8", "replace")
    return "unnamed"
