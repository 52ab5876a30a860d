"""What the header of a request says, understood once for all requests that have the same."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from interlock_serving.asgi import REQUEST, Scope
from interlock_serving.protocol import is_request_id

BINARY = b"inference-header-content-length"
"""The header that says how many bytes are JSON, where binary tensors stand behind them."""
_PLAIN = (b"application/json", b"")


@attrs.frozen(eq=False)
class Request:
    """A request before its body.

    Attributes:
        method, path: what is asked of what.
        headers: by name, the last of each.
        id: the client's ``x-request-id``; empty where it gave none that is one.
        length: bytes of the body, as they are announced; 0 where they are not.
        unread: why the body is not read; empty where it is.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    id: str
    length: int
    unread: str

    def header(self, name: bytes) -> bytes:
        """A header, empty where there is none of that name."""
        return self.headers.get(name, b"")


def request_of(scope: Scope) -> Request:
    """What the header of a request says."""
    known: Request | None = scope.get(REQUEST)
    if known is not None:
        return known
    headers = dict(scope["headers"])
    return Request(
        method=scope["method"],
        path=scope["path"],
        headers=headers,
        id=_named(headers),
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
