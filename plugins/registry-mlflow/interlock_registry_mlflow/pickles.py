"""A pickle that the stack lets be opened, made a skops file of by a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from interlock_hookspecs import InvalidInput

_CHILD = Path(__file__).with_name("unpickle.py")
_SECONDS = 300
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def to_skops(pickled: Path, folder: Path) -> Path:
    """The skops file of a pickled estimator.

    The process is given nothing of Interlock's environment, where secrets are, and no handle on
    the ledger. It is no sandbox: it runs with the user's rights.

    Args:
        pickled: the file.
        folder: an empty one, where the new file goes.

    Raises:
        InvalidInput: it does not open here, or holds what skops does not write.
    """
    made = folder / "model.skops"
    given = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD), str(pickled), str(made)],
            cwd=folder,
            env={**given, "HOME": str(folder), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInput(f"{pickled.name} was not unpickled in {_SECONDS} s") from error
    if done.returncode or not made.is_file():
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1][:200] if lines else f"exit code {done.returncode}"
        raise InvalidInput(f"{pickled.name} is not unpickled: {said}")
    return made
