"""Makes an endpoint serve one release after the other, as ``interlock deploy`` does.

``python load_swaps.py STACK_FILE`` reads the id of a release a line, and answers each when it is
served. One process for all, for a command a second would be most of what a small machine does.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Serve what is read."""
    from interlock.ids import new_id
    from interlock.lifecycle.endpoints import serve_release
    from interlock.session import Session
    from interlock.stack import load_stack

    file = Path(sys.argv[1]).absolute()
    session = Session(load_stack(file.parent, file=file))
    for line in sys.stdin:
        with session.workspace(new_id("load")) as workspace:
            serve_release(session, line.strip(), reason="deploy", workspace=workspace)
        print("served", flush=True)


if __name__ == "__main__":
    main()
