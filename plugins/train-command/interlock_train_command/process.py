"""Running a command: what it sees, how long it may take, and that nothing of it is left."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from interlock_hookspecs import InvalidInput

_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_LINES, _WIDTH = 20, 500  # of what it said last, for a person who asks why
_GRACE = 5.0  # seconds from the polite signal to the other one
_DRAIN = 5.0  # seconds for output that a process of another session holds open


def run(
    command: Sequence[str],
    places: Mapping[str, Path],
    *,
    root: Path,
    seconds: float,
    inherit: Sequence[str],
    log: logging.Logger,
) -> None:
    """Run a command to its end; its whole process group is gone when this returns or raises.

    Args:
        command: the program and its arguments, with placeholders.
        places: what the placeholders stand for; the command also gets INTERLOCK_ROWS and so on.
        root: the folder it runs in.
        seconds: how long it may take.
        inherit: names of further variables that it gets.
        log: where the last lines that it said go, when it fails.

    Raises:
        InvalidInput: it cannot be started, fails, is killed, or takes too long.
    """
    known = {**{name: str(path) for name, path in places.items()}, "python": sys.executable}
    arguments = [filled(argument, known) for argument in command]
    try:
        process = subprocess.Popen(
            arguments,
            cwd=root,
            env=environment(places, inherit),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidInput(
            f"command: {command[0]} cannot be started in the project's folder: {why}"
        ) from error
    tail: deque[str] = deque(maxlen=_LINES)
    reader = threading.Thread(target=_read, args=(process.stderr, tail), daemon=True)
    reader.start()
    late = False
    try:
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            late = True
            _end(process)
    finally:
        _kill(process)
        reader.join(_DRAIN)
    if late or process.returncode:
        for line in tail:
            log.error("%s: %s", Path(arguments[0]).name, line)
    if late:
        raise InvalidInput(
            f"the command took longer than seconds = {seconds:g} and was ended: raise seconds"
        )
    if process.returncode:
        raise InvalidInput(
            f"the command {_ended(process.returncode)}: its last lines are in the log"
        )


def filled(argument: str, known: Mapping[str, str]) -> str:
    """An argument with its placeholders replaced; other braces are the command's own.

    >>> filled("--in={rows}", {"rows": "/tmp/rows.parquet"}), filled('{"depth": 3}', {})
    ('--in=/tmp/rows.parquet', '{"depth": 3}')
    """
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), argument)


def environment(places: Mapping[str, Path], inherit: Sequence[str]) -> dict[str, str]:
    """What a command sees of the environment: little, and no secret that is not named."""
    taken = {name: os.environ[name] for name in (*_INHERITED, *inherit) if name in os.environ}
    scratch = str(places["scratch"])
    return {
        "PATH": os.defpath,
        "HOME": scratch,
        "TMPDIR": scratch,
        # Sets in one order in every fit, and no caches beside the project's modules.
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        **taken,
        **{f"INTERLOCK_{name.upper()}": str(path) for name, path in places.items()},
    }


def _read(stream: IO[bytes] | None, tail: deque[str]) -> None:
    """Keep the last lines of a stream, however much it says."""
    if stream is None:
        return
    with stream, contextlib.suppress(ValueError):
        while part := stream.readline(1 << 16):
            line = part.decode(errors="replace").rstrip()
            if line:
                tail.append(line[:_WIDTH])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to end, and give it a moment."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_GRACE)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group, whoever of it is."""
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group bears the number of its first process, also when that one has ended.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
    memory = ", as a machine does that is out of memory" if name == "SIGKILL" else ""
    return f"was killed by {name}{memory}"
