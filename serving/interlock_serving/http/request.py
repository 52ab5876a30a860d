"""What the header of a request says, understood once for all requests that have the same."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from interlock_serving.http.asgi import REQUEST, Scope
from interlock_serving.v2.protocol import is_request_id, sticky_share

BINARY = b"inference-header-content-length"
"""The header that says how many bytes are JSON, where binary tensors stand behind them."""
STICKY = b"x-sticky-key"
"""The header that keeps a client on one version."""
_PLAIN = (b"application/json", b"")


@attrs.frozen(eq=False)
class Request:
    """A request before its body.

    Attributes:
        method, path: what is asked of what.
        id: the client's ``x-request-id``; empty where it gave none that is one.
        sticky: where its key falls that keeps it on one version, see `protocol.Envelope`.
        json: how many bytes of the body are JSON, as the header says; empty where all are.
        length: bytes of the body, as they are announced; 0 where they are not.
        unread: why the body is not read; empty where it is.
    """

    method: str
    path: str
    id: str
    sticky: float | None
    json: bytes
    length: int
    unread: str


def request_of(scope: Scope) -> Request:
    """What the header of a request says."""
    known: Request | None = scope.get(REQUEST)
    if known is not None:
        return known
    headers = dict(scope["headers"])
    return Request(
        method=scope["method"],
        path=scope["path"],
        id=_named(headers),
        sticky=sticky_share(headers.get(STICKY, b"")),
        json=headers.get(BINARY, b""),
        length=int(headers.get(b"content-length") or b"0"),
        unread=_unread(headers),
    )


def _named(headers: Mapping[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id")
    if given is None:
        return ""
    name = given.decode("latin-1")
    return name if is_request_id(name) else ""


def _unread(headers: Mapping[bytes, bytes]) -> str:
    if headers.get(b"content-encoding", b"") not in (b"", b"identity"):
        return "a compressed body is not understood: send it plain"
    kind = headers.get(b"content-type", b"")
    if kind.partition(b";")[0].strip().lower() in _PLAIN or headers.get(BINARY):
        return ""
    return "the content type is not application/json"
