"""One message over a socket: JSON, and what travels beside it as bytes or as shared memory.

A head says the sizes; the JSON follows, then the bytes of small segments. A large segment is a
file without a name in memory: only its descriptor is sent, so nothing is left behind by a process
that is killed half-way.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

import attrs
import orjson

from interlock_worker.errors import WorkerFailed

_MAGIC = b"ILK1"
_HEAD = struct.Struct("<4sBIQ")
_SIZE = struct.Struct("<?Q")
_PARTS = 64
"""Buffers of one sendmsg; systems take at least 1,024, of which few are ever used."""
_DESCRIPTORS = 32
CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


@attrs.frozen(eq=False)
class Shared:
    """A segment in shared memory.

    Attributes:
        descriptor: of the file; whoever holds the segment closes it.
        size: bytes.
    """

    descriptor: int
    size: int


Segment = Any
"""A bytes-like object, or `Shared`."""


Dumped = tuple[bool, bytes]
"""JSON, and whether only the slower reader reads it."""


class Line:
    """One end of a socket over which two processes speak in turn.

    Attributes:
        deadline: of the monotonic clock; sending and receiving raise TimeoutError after it.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.deadline: float | None = None
        self._timed = False

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; a thread that waits on it is woken, on either side."""
        # The other side may have been first.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def forget(self) -> None:
        """Close this process's copy only, in a fork."""
        self._socket.close()

    def send(self, message: Dumped, segments: Sequence[Segment] = ()) -> None:
        """Send a message.

        Raises:
            OSError: the other end is gone.
            TimeoutError: it took longer than the deadline.
        """
        exact, text = message
        head = _HEAD.pack(_MAGIC, exact, len(segments), len(text))
        if not segments:
            self._send([head, text])
            return
        shared = [part for part in segments if isinstance(part, Shared)]
        inline = [memoryview(part).cast("B") for part in segments if not isinstance(part, Shared)]
        sizes = [_SIZE.pack(isinstance(part, Shared), _length(part)) for part in segments]
        self._send([head, *sizes, text, *inline])
        for start in range(0, len(shared), _DESCRIPTORS):
            given = [part.descriptor for part in shared[start : start + _DESCRIPTORS]]
            self._wait()
            socket.send_fds(self._socket, [b"F"], given)

    def receive(self) -> tuple[Any, list[Segment]]:
        """Wait for a message.

        Raises:
            EOFError: the other end is gone.
            TimeoutError: it took longer than the deadline.
            WorkerFailed: what comes is no message of ours.
        """
        magic, exact, count, length = _HEAD.unpack(self._read(_HEAD.size))
        if magic != _MAGIC:
            raise WorkerFailed("its worker sent what is no message of this protocol")
        if not count:
            return _loaded(exact, self._read(length)), []
        sizes = [_SIZE.unpack(self._read(_SIZE.size)) for _ in range(count)]
        message = _loaded(exact, self._read(length))
        segments: list[Segment] = [size if shared else self._read(size) for shared, size in sizes]
        places = [place for place, (shared, _) in enumerate(sizes) if shared]
        for start in range(0, len(places), _DESCRIPTORS):
            wanted = places[start : start + _DESCRIPTORS]
            self._wait()
            _, given, _, _ = socket.recv_fds(self._socket, 1, len(wanted), CLOEXEC)
            if len(given) != len(wanted):
                raise EOFError
            for place, descriptor in zip(wanted, given, strict=True):
                segments[place] = Shared(descriptor, sizes[place][1])
        return message, segments

    def _send(self, parts: list[Any]) -> None:
        left = [memoryview(part) for part in parts if len(part)]
        while left:
            self._wait()
            sent = self._socket.sendmsg(left[:_PARTS])
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if sent:
                left[0] = left[0][sent:]

    def _read(self, size: int) -> bytearray:
        buffer = bytearray(size)
        view, place = memoryview(buffer), 0
        while place < size:
            self._wait()
            found = self._socket.recv_into(view[place:])
            if not found:
                raise EOFError
            place += found
        return buffer

    def _wait(self) -> None:
        """Let the next call on the socket last until the deadline."""
        if self.deadline is not None:
            self._timed = True
            self._socket.settimeout(max(self.deadline - time.monotonic(), 0.0001))
        elif self._timed:
            self._timed = False
            self._socket.settimeout(None)


def _length(segment: Segment) -> int:
    return segment.size if isinstance(segment, Shared) else memoryview(segment).nbytes


def dumped(message: Any) -> Dumped:
    """A message as JSON; by the slower way where a text is no Unicode or a number is large.

    Raises:
        TypeError: a value of it is no JSON.
    """
    try:
        return False, orjson.dumps(message)
    except orjson.JSONEncodeError:
        return True, json.dumps(message).encode()


def _loaded(exact: bool, text: bytearray) -> Any:
    return json.loads(text) if exact else orjson.loads(text)
