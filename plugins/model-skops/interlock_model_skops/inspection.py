"""Opening a file of unknown origin in a child process first, with limits on memory and time.

The guards refuse what they know; a child with limits bears what they do not. Run as a module, this
opens the file that it is given, and says what it found as one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from interlock_hookspecs import InvalidInput

MEMORY = 4 << 30  # bytes of address space; scikit-learn and its libraries reserve about 1 GiB
SECONDS = 60  # of processor time, and of the clock; importing scikit-learn takes a few


def inspect_file(
    path: Path,
    *,
    allow: Sequence[str] = (),
    max_bytes: int = 1 << 30,
    memory: int = MEMORY,
    seconds: int = SECONDS,
) -> str:
    """Open a file in a child process, and give the dotted name of what it holds.

    The child runs every guard of this plugin and builds the object; nothing comes back but a name.

    Args:
        path: the file.
        allow: types beyond the vetted ones.
        max_bytes: how large the file, and what it reads into memory, may be.
        memory: bytes of address space that the child may have.
        seconds: of processor time, and of the clock.

    Raises:
        InvalidInput: the file was refused, or the child crashed, ran out of memory or of time.
    """
    order = json.dumps([str(path), list(allow), max_bytes, memory, seconds])
    # No core files, and one thread: each reserves address space of its own.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", __name__],
            input=order,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as late:
        raise InvalidInput(f"inspecting it took more than {seconds} s") from late
    try:
        answer = json.loads(done.stdout)
    except ValueError as silent:
        raise InvalidInput(
            f"inspecting it ended with code {done.returncode}: out of memory, of time, or a crash"
        ) from silent
    if "refused" in answer:
        raise InvalidInput(str(answer["refused"]))
    return str(answer["type"])


def _main() -> None:
    import resource

    path, allow, max_bytes, memory, seconds = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from interlock_model_skops.opening import load_checked, read_file

    try:
        fitted = load_checked(read_file(Path(path), max_bytes), allow=allow, max_bytes=max_bytes)
        kind = type(fitted)
        print(json.dumps({"type": f"{kind.__module__}.{kind.__qualname__}"}))  # noqa: T201  (the answer)
    except InvalidInput as refusal:
        print(json.dumps({"refused": str(refusal)}))  # noqa: T201  (the answer)


if __name__ == "__main__":
    _main()
