"""``python -m interlock_worker DESCRIPTOR``: started by core, with a socket; not by a person."""

from __future__ import annotations

import sys


def _main() -> None:
    from interlock_worker.child import main

    main(int(sys.argv[1]))


if __name__ == "__main__":
    _main()
