"""What one place of an endpoint counted, where every process of it reads it, and no kill takes it.

A file without a name, which the supervisor has for as long as the endpoint is. One process at a
time writes it: the worker in that place. It has two halves, written in turn, so that whoever reads
meanwhile, or after a kill in the middle, finds in the other half what was last said whole.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib

_HEAD = struct.Struct("=QLL")
"""How often something was said with it, the length of what is said, and a checksum."""
_HALF = 16 * 1024 * 1024
"""Where the second half begins; what is between takes no memory."""


class Slot:
    """A place for one writer, which says something anew, and any number of readers.

    Args:
        handle: of the file.

    Attributes:
        handle: the same, for processes that are started with it.
    """

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self._number = 0

    @classmethod
    def made(cls) -> Slot:
        """A new one, in which nothing was said; in memory where the system can."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("counts"))
        import tempfile

        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def write(self, said: bytes) -> None:
        """Say something new; the last is what counts.

        Raises:
            ValueError: it is longer than there is room for.
            OSError: memory has run out.
        """
        if len(said) > _HALF - _HEAD.size:
            msg = f"{len(said)} bytes of counts, and there is room for {_HALF - _HEAD.size}"
            raise ValueError(msg)
        number = self._number = (self._number or self._latest()[0]) + 1
        head = _HEAD.pack(number, len(said), _checksum(number, said))
        os.pwrite(self.handle, head + said, number % 2 * _HALF)

    def read(self) -> bytes:
        """What was said last; nothing where nothing was said yet."""
        return self._latest()[1]

    def close(self) -> None:
        """Let go of it, in this process."""
        os.close(self.handle)

    def _latest(self) -> tuple[int, bytes]:
        while True:
            found = [self._half(0), self._half(1)]
            if found[1] is None:
                # It is being written: the first may have been since, and is the newer one then.
                found[0] = self._half(0)
            if whole := [each for each in found if each is not None]:
                return max(whole)

    def _half(self, half: int) -> tuple[int, bytes] | None:
        """What a half says; None while it is written, or where its writer was killed."""
        start = half * _HALF
        head = os.pread(self.handle, _HEAD.size, start)
        if not any(head):
            return 0, b""
        with contextlib.suppress(struct.error):
            number, length, checksum = _HEAD.unpack(head)
            said = os.pread(self.handle, length, start + _HEAD.size)
            if _checksum(number, said) == checksum and len(said) == length:
                return number, said
        return None


def _checksum(number: int, said: bytes) -> int:
    return zlib.crc32(said, number % 2**32)
