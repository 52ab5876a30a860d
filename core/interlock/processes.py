"""Which process is it, and does it still live: so that no two go on with one run."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class ProcessIdentity:
    """A process, told apart from another that later gets the same number.

    Attributes:
        host: the machine's name.
        pid: the process id.
        started: clock ticks since boot when it started, as Linux counts; 0 where unknown.
        boot: the id of the machine's boot; empty where unknown.
    """

    host: str
    pid: int
    started: int = 0
    boot: str = ""


def this_process() -> ProcessIdentity:
    """The identity of the running process."""
    return of_pid(os.getpid())


def of_pid(pid: int) -> ProcessIdentity:
    """The identity of a process of this machine."""
    return ProcessIdentity(host=socket.gethostname(), pid=pid, started=_started(pid), boot=_boot())


def process_of(run: Mapping[str, Any]) -> ProcessIdentity:
    """The process that a run is on record with: the one that began it, or resumed it last."""
    return ProcessIdentity(
        host=run["host"], pid=run["pid"], started=run["started"] or 0, boot=run["boot"] or ""
    )


def was_killed(run: Mapping[str, Any]) -> bool:
    """Whether a run stands on record as running and its process is gone, so that nobody ends it.

    False where nobody can say, as of a process on another machine.
    """
    return run["status"] == "running" and is_alive(process_of(run)) is False


def mark() -> str:
    """A text for the name of a file, that tells whose it is: this process.

    >>> marked_by_the_dead(f"{mark()}.draft")
    False
    """
    me = this_process()
    return f"{_where()}-{me.pid}-{me.started}"


def marked_by_the_dead(name: str) -> bool | None:
    """Whether the process that marked a file's name has ended.

    None where nobody can say: the name has no mark, or one from another machine, another boot of
    it or another container.

    >>> marked_by_the_dead("draft") is None
    True
    """
    where, _, rest = name.partition(".")[0].partition("-")
    pid, _, started = rest.partition("-")
    if where != _where() or not (pid.isdecimal() and started.isdecimal()):
        return None
    marked = ProcessIdentity(host=socket.gethostname(), pid=int(pid), started=int(started))
    return is_alive(marked) is False


def is_alive(process: ProcessIdentity) -> bool | None:
    """Whether the process still lives; None where it is on another machine and nobody can say."""
    if process.host != socket.gethostname() and not _was_renamed(process):
        return None
    if process.boot and process.boot != _boot():
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if _state(process.pid) == "Z":
        return False
    return not process.started or _started(process.pid) == process.started


def _was_renamed(process: ProcessIdentity) -> bool:
    """Whether it lives on this machine, which has another name since; containers share a boot."""
    same = bool(process.boot) and process.boot == _boot()
    return same and process.started > 0 and _started(process.pid) == process.started


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    # The command's name stands in parentheses and may hold anything, spaces included.
    return text.rpartition(")")[2].split()


def _started(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 else 0  # noqa: PLR2004  (proc(5), field 22)


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _where() -> str:
    """What process ids are told apart by: the machine, its boot, and the container."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    told = f"{socket.gethostname()}\n{_boot()}\n{space}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]
