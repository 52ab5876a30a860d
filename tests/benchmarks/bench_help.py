"""What ``interlock --help`` costs, against ``python -c "import click"``."""

import sys
from pathlib import Path

from timing import finish, interleaved, judge, run_process

BOUND = 1.4


def main() -> None:
    interlock = str(Path(sys.executable).with_name("interlock"))
    ours, theirs = interleaved(
        lambda: run_process([interlock, "--help"]),
        lambda: run_process([sys.executable, "-c", "import click"]),
        pairs=25,
    )
    print(f"--help {ours.cpu * 1e3:.1f} ms CPU, import click {theirs.cpu * 1e3:.1f} ms CPU")
    finish(judge("interlock --help / import click, CPU", ours.cpu / theirs.cpu, BOUND))


if __name__ == "__main__":
    main()
