"""The same project elsewhere, otherwise, later: the same model, checks and verdicts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from interlock_hookspecs import Actor

INTERLOCK = Path(sys.executable).with_name("interlock")
SHIFTED_CLOCK = Path(__file__).with_name("shifted_clock.py")


@pytest.fixture
def original(small):
    """A project that fits gradient boosting, which shares its sums out to threads."""
    small.edit("tree.DecisionTreeClassifier", "ensemble.HistGradientBoostingClassifier")
    small.edit("max_depth = 3", "max_iter = 20, min_samples_leaf = 5")
    return small


def copied(project, folder):
    """The project in another folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(project.folder, folder))


def reviewed(folder):
    """What the only run there came to: under the dossier's digest is all that was judged."""
    from interlock.ledger import Ledger

    url = f"sqlite:///{folder}/.interlock/ledger.db"
    with Ledger.open(url, actor=Actor(subject="ana", issuer="test")) as ledger:
        (run,) = ledger.reads.runs(project="small")
        checks = ledger.reads.checks(run["id"])
        verdicts = ledger.reads.verdicts(run["id"])
        return {
            "model": run["model"],
            "data": run["dataset"],
            "dossier": run["dossier"],
            "checks": [(row["key"], row["value"], row["low"], row["high"]) for row in checks],
            "verdicts": [(row["subject"], row["decision"], row["reason"]) for row in verdicts],
        }


@pytest.mark.parametrize(("threads", "seed"), [("1", "0"), ("2", "4711")])
def test_in_another_folder_with_other_threads(original, tmp_path, threads, seed):
    """Another process, hash seed and number of threads."""
    elsewhere = copied(original, tmp_path / "a" / "deeper" / f"place {seed}")
    environ = {**original.environ, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
    command = [INTERLOCK, "run", "--until", "review"]
    subprocess.run(command, cwd=elsewhere, env=environ, check=True, capture_output=True)
    original("run", "--until", "review")
    here = reviewed(original.folder)
    assert reviewed(elsewhere) == here
    assert here["checks"]
    assert here["verdicts"]


def test_a_week_later(original, tmp_path):
    """The clock is on record, and in no digest."""
    original("run", "--until", "review")
    later = copied(original, tmp_path / "later")
    shutil.rmtree(later / ".interlock")
    folder, original.folder = original.folder, later
    original("run", "--until", "review", first=SHIFTED_CLOCK, SHIFT="7")
    assert reviewed(later) == reviewed(folder)
