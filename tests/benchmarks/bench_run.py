"""``interlock run --until register`` on a year of census data, against plain_run.py.

The ledger is there already, ``--again`` keeps any stage from being reused, and both sides have one
OpenMP thread. What both measured must be equal, else the comparison would mean nothing.
"""

import json
import math
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from timing import Result, child_environment, copy_example, finish, interleaved, run_process

PAIRS = 9
WALL_BOUND = 1.25
CPU_BOUND = 1.15
ENVIRON = {"OMP_NUM_THREADS": "1"}


def refuse_other_results(folder: Path, plain: list[str]) -> None:
    """End where the two sides did not measure the same model."""
    with closing(sqlite3.connect(folder / ".interlock" / "ledger.db")) as ledger:
        ours = dict(
            ledger.execute(
                "SELECT replace(key, 'metrics.', ''), value FROM checks "
                "WHERE phase = 'model' AND run = (SELECT max(id) FROM runs)"
            )
        )
    done = subprocess.run(
        plain, cwd=folder, env=child_environment(ENVIRON), stdout=subprocess.PIPE, check=True
    )
    for name, value in json.loads(done.stdout).items():
        if not math.isclose(ours[name], value, rel_tol=1e-9):
            sys.exit(f"{name}: interlock measured {ours[name]!r}, the plain script {value!r}")


def main() -> None:
    """Measure whole processes on a copy of the example, and hold both ratios to their bounds."""
    command = str(Path(sys.executable).with_name("interlock"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "employment")
        copy_example(folder)
        script = str(Path(__file__).with_name("plain_run.py"))
        plain = [sys.executable, script, str(Path(scratch, "model.skops"))]
        run = [command, "run", "--until", "register", "--again"]
        ours, theirs = interleaved(
            lambda: run_process(run, cwd=folder, environ=ENVIRON),
            lambda: run_process(plain, cwd=folder, environ=ENVIRON),
            pairs=PAIRS,
        )
        refuse_other_results(folder, plain)
    finish(
        Result(
            name="interlock run against a plain script, wall",
            value=ours.wall / theirs.wall,
            unit="x",
            bound=WALL_BOUND,
            medians=f"{ours.wall:.2f} s, {theirs.wall:.2f} s",
        ),
        Result(
            name="interlock run against a plain script, CPU",
            value=ours.cpu / theirs.cpu,
            unit="x",
            bound=CPU_BOUND,
            medians=f"{ours.cpu:.2f} s, {theirs.cpu:.2f} s",
        ),
    )


if __name__ == "__main__":
    main()
