"""The server process: ``python -m interlock.serving FILE STACK DEPLOYMENT``."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Serve one deployment until told to stop; the exit code of a command.

    Args:
        arguments: the stack file, the stack's name and the deployment's id, as `process.command`
            puts them. Nobody else types them.
    """
    # What is imported stays: looking for garbage in it again and again would take a tenth of the
    # start. `serve` turns the search on again.
    gc.disable()
    # No terminal is its own, and what rotates logs asks for a reload by it: not for the end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from interlock.errors import InterlockError
    from interlock.redact import redact_output
    from interlock.serving.host import serve
    from interlock.session import Session
    from interlock.stack import load_stack

    try:
        file, name, deployment = arguments
    except ValueError:
        sys.stderr.write("usage: python -m interlock.serving FILE STACK DEPLOYMENT\n")
        return _USAGE
    path = Path(file)
    try:
        stack = load_stack(path.parent, file=path, name=name)
        session = Session(stack)
        session.redact = redact_output(stack)
        serve(session, deployment)
    except InterlockError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
