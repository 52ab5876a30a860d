"""Names for requests that bring none: 128 random bits in hexadecimal.

Drawn from the system for many at once. It draws without the interpreter's lock, so that a loop that
drew for each request would wait each time for a thread that took the lock meanwhile.
"""

from __future__ import annotations

import os

_BYTES = 16
_MANY = 256
_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)  # two processes must not give the same


def new_id() -> str:
    """A name that no other request has. Asked on the event loop."""
    if not _drawn:
        digits = os.urandom(_BYTES * _MANY).hex()
        size = 2 * _BYTES
        _drawn.extend([digits[at : at + size] for at in range(0, len(digits), size)])
    return _drawn.pop()
