"""Run in the process of a command before the command: it will kill itself where KILL says.

``within KIND N``: in the transaction that writes the N-th event of a kind, before its commit.
``placing - N``: when half of the N-th artifact is written. ``placed - N``: when it is whole, and
nothing tells of it yet. ``answered HOOK N``: when a hook has answered for the N-th time, and the
ledger does not know. What happens after a commit needs no such thing: see dies_after.py.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from interlock.artifacts import blobs
from interlock.ledger.writing import ChainWriter
from interlock.plugins.funnel import Funnel

where, name, nth = os.environ["KILL"].split()
left = int(nth)


def here(at: str, what: str) -> None:
    """Die where that is the place."""
    global left  # noqa: PLW0603  (a process has one death)
    if (at, what) == (where, name):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)


def append(self: ChainWriter, entry: Any, *more: Any) -> Any:
    """Write an event."""
    event = _append(self, entry, *more)
    here("within", entry.kind)
    return event


def copyfileobj(reader: IO[bytes], writer: IO[bytes], length: int) -> None:
    """Copy, in two steps."""
    data = reader.read() if length else b""
    writer.write(data[: len(data) // 2])
    writer.flush()
    here("placing", "-")
    writer.write(data[len(data) // 2 :])


def place(source: Path, target: Path, drafts: Path) -> None:
    """Place a blob."""
    _place(source, target, drafts)
    here("placed", "-")


def ask(self: Funnel, hook: str, call: Any, arguments: dict[str, Any]) -> Any:
    """Ask a plugin."""
    answer = _ask(self, hook, call, arguments)
    here("answered", hook)
    return answer


_append, ChainWriter.append = ChainWriter.append, append
_place, blobs.place = blobs.place, place
_ask, Funnel._ask = Funnel._ask, ask  # noqa: SLF001  (the one place where every hook is asked)
blobs.shutil = SimpleNamespace(**{**vars(shutil), "copyfileobj": copyfileobj})
