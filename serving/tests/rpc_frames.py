"""Calls as the bytes of HTTP/2, for clients that do what no library of gRPC does."""

from __future__ import annotations

from interlock_serving.v2.protocol import SERVICE

MOST = 2**31 - 1
"""Bytes that a client may say it takes."""
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
_ACK = _END = 1
_HEADERS_END = 4


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame."""
    head = len(content).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + content


def greeting(window: int = MOST) -> bytes:
    """The beginning of a connection whose client takes so many bytes of each answer at first."""
    return b"".join([
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        frame(SETTINGS, 0, 0, b"\0\4" + window.to_bytes(4, "big")),
        frame(WINDOW_UPDATE, 0, 0, (MOST - 65_535).to_bytes(4, "big")),
    ])  # fmt: skip


def more(stream: int, size: int) -> bytes:
    """Word that the client takes more of an answer."""
    return frame(WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def answer_to(kind: int, flags: int, content: bytes) -> bytes:
    """What a client that is alive says to a frame."""
    if kind == PING and not flags & _ACK:
        return frame(PING, _ACK, 0, content)
    if kind == SETTINGS and not flags & _ACK:
        return frame(SETTINGS, _ACK, 0, b"")
    return b""


def call(message: bytes, stream: int = 1) -> bytes:
    """A call of ModelInfer."""
    headers = {
        ":method": "POST", ":scheme": "http", ":path": f"/{SERVICE}/ModelInfer",
        ":authority": "here", "te": "trailers", "content-type": "application/grpc",
    }  # fmt: skip
    packed = b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in headers.items()
    )
    content = b"\0" + len(message).to_bytes(4, "big") + message
    parts = [content[place : place + 16_384] for place in range(0, len(content), 16_384)]
    return b"".join([
        frame(HEADERS, _HEADERS_END, stream, packed),
        *(frame(DATA, 0, stream, part) for part in parts),
        frame(DATA, _END, stream, b""),
    ])  # fmt: skip
