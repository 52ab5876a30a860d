"""The server process: ``python -m interlock.serving --file F --stack S --deployment D``."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path


def main() -> int:
    """Serve one deployment until told to stop; the exit code of a command."""
    # What is imported stays: looking for garbage in it again and again would take a tenth of the
    # start. `serve` turns the search on again.
    gc.disable()
    from interlock.errors import InterlockError
    from interlock.redact import redact_output
    from interlock.serving.host import serve
    from interlock.session import Session
    from interlock.stack import load_stack

    parser = argparse.ArgumentParser(prog="python -m interlock.serving")
    for option in ("--file", "--stack", "--deployment"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    path = Path(options.file)
    try:
        stack = load_stack(path.parent, file=path, name=options.stack)
        redact_output(stack)
        serve(Session(stack), options.deployment)
    except InterlockError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
