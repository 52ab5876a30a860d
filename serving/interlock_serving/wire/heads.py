"""Heads of requests that a connection has seen before, by their bytes.

Who asks again and again over one connection mostly sends the same header, and only another body.
The parser says of the same bytes the same, so that it need not be asked again. Only what leaves
no doubt where a header ends and how long its body is, is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from interlock_serving.http.asgi import REQUEST, Header
from interlock_serving.http.request import Request, request_of

_END = b"\r\n\r\n"
_MOST = 8
_LONGEST = 8 * 1024
"""Heads of a connection, and bytes of one, that are remembered at most."""


def _never(_: Request) -> bool:
    return False


@attrs.frozen
class Head:
    """A request's header as it was parsed.

    Attributes:
        content: its bytes, with the line that ends it.
        length: of the body behind it.
        scope: what ASGI says of it, and what that means.
        request: the latter.
        direct: whether requests with it are answered directly, see `direct`.
    """

    content: bytes
    length: int
    scope: dict[str, Any]
    request: Request
    direct: bool


class Heads:
    """The heads that one connection remembers.

    Args:
        is_direct: says whether requests with a header are answered directly, see `direct`.
    """

    def __init__(self, is_direct: Callable[[Request], bool] = _never) -> None:
        self._is_direct = is_direct
        self._by_size: dict[int, Head] = {}

    def find(self, data: bytes) -> Head | None:
        """The head of a request that is there as a whole, or as a head alone; None if not known.

        Args:
            data: what arrived, from the first byte of a request on.
        """
        head = self._by_size.get(len(data))
        return head if head is not None and data.startswith(head.content) else None

    def learn(self, data: bytes, scope: dict[str, Any]) -> None:
        """Remember the head of a request, where it is told apart from its body beyond doubt.

        Args:
            data: one whole request, or its head alone: many clients send the body after it.
            scope: what the parser made of it.
        """
        head, end, body = data.partition(_END)
        headers: list[Header] = scope["headers"]
        lines = head.count(b"\r\n")
        if lines != len(headers) or lines != head.count(b"\n") or lines != head.count(b"\r"):
            return  # folded, or ended by something else: no two readers need agree
        lengths = [value for name, value in headers if name == b"content-length"]
        if len(lengths) != 1 or not lengths[0].isdigit():
            return
        length = int(lengths[0])
        if not end or (body and len(body) != length) or length > HIGH_WATER_LIMIT:
            return
        if len(head) + len(end) > _LONGEST or any(
            name == b"transfer-encoding" for name, _ in headers
        ):
            return
        if len(self._by_size) >= 2 * _MOST:
            self._by_size.clear()
        # The list of headers is the request's own; this one is for all that follow.
        known = {**scope, "headers": tuple(headers)}
        request = request_of(known)
        known[REQUEST] = request
        found = Head(head + end, length, known, request, self._is_direct(request))
        self._by_size[len(found.content)] = self._by_size[len(found.content) + length] = found
