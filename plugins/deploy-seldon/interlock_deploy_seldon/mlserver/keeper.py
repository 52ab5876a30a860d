"""Keeps a command for as long as somebody holds the other end of standard input, and no longer.

Run as a script, by any Python and with nothing but the standard library: ``keeper.py FILE
COMMAND``. The command has a process group of its own, which is ended when standard input ends: when
whoever started this closes it or dies, be it by SIGKILL. Should this script be killed, the command
is; the rest of its group, whose number is in the file, is for whoever started this.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_GRACE_SECONDS = 8.0
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run the command; end with its exit code."""
    child = subprocess.Popen(
        sys.argv[2:],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  (there is no other thread yet)
    )
    Path(sys.argv[1]).write_text(str(child.pid), encoding="ascii")
    threading.Thread(target=_until_it_ends, args=(child,), daemon=True).start()
    while os.read(0, 4096):
        pass
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    _end(child)


def _until_it_ends(child: subprocess.Popen[bytes]) -> None:
    child.wait()
    _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of its group, its own children, and this process with its code."""
    _signal(child, signal.SIGKILL)
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group has the child's number, and is not reused while one of it lives.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _die_with_parent() -> None:
    """In the child before the command: ask the kernel, where it can, to be ended with its parent.

    The parent is the thread that made it: the main thread of this script, which lives as long.
    """
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
