"""What ``interlock --help`` costs, against ``python -c "import click"``."""

import sys
from pathlib import Path

from timing import Result, finish, interleaved, run_process

BOUND = 1.4


def main() -> None:
    """Measure whole processes, and hold the ratio against its bound."""
    interlock = str(Path(sys.executable).with_name("interlock"))
    ours, theirs = interleaved(
        lambda: run_process([interlock, "--help"]),
        lambda: run_process([sys.executable, "-c", "import click"]),
        pairs=25,
    )
    finish(
        Result(
            name="interlock --help against importing click, CPU",
            value=ours.cpu / theirs.cpu,
            unit="x",
            bound=BOUND,
            medians=f"{ours.cpu * 1e3:.1f} ms, {theirs.cpu * 1e3:.1f} ms",
        )
    )


if __name__ == "__main__":
    main()
