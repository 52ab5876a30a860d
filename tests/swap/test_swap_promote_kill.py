"""A promotion killed anywhere: the same command goes on, and one run comes of it."""

import random
import shutil
import time
from pathlib import Path

import pytest
from swap_project import events, holds

from interlock.ledger import verify

KILL_POINTS = Path(__file__).parents[1] / "faults/kill_points.py"
KILLED = -9
KILLS = 6
PLACES = [
    *(("within", kind, 1) for kind in ("promotion.intended", "run.imported", "version.promoted")),
    ("within", "stage.imported", 4),
    *((where, "-", nth) for where in ("placing", "placed") for nth in (1, 4)),
    ("answered", "register_version", 1),
]


class Traveller:
    """A version that is promoted again and again, each time into an empty production."""

    def __init__(self, project, opened):
        self.project = project
        self.opened = opened
        project("run", "--until", "review")
        self.version = project.run["version"]
        self.home = project.folder / ".interlock"
        self.kept = project.folder / "kept"
        shutil.copytree(self.home, self.kept)

    def renew(self):
        """Everything as it was before the first promotion."""
        shutil.rmtree(self.home)
        shutil.copytree(self.kept, self.home)

    @property
    def words(self):
        """The command."""
        return ("promote", self.version, "--to", "prod")

    def arrives(self):
        """Whatever was left, the command does the rest, once."""
        old, new = self.opened(self.project, "dev"), self.opened(self.project, "prod")
        for session in (old, new):
            assert verify(session.ledger).ok
        self.project(*self.words)
        assert len(new.ledger.reads.runs("small")) == 1
        assert len(events(new, "promotion.intended")) == 1
        assert len(events(new, "version.imported")) == 1
        assert len(events(old, "version.promoted")) == 1
        assert holds(new) == holds(old)
        assert verify(new.ledger).ok
        for session in (old, new):
            session.ledger.close()


@pytest.fixture
def traveller(far, opened):
    """A released version in dev."""
    return Traveller(far, opened)


def test_a_promotion_killed_at_every_boundary(traveller):
    """Within each transaction, in each copy, and when the registry knew and the ledger did not."""
    for where, name, nth in PLACES:
        traveller.renew()
        kill = f"{where} {name} {nth}"
        traveller.project(*traveller.words, expect=KILLED, first=KILL_POINTS, KILL=kill)
        traveller.arrives()


def test_a_promotion_killed_at_any_moment(traveller):
    """Killed at random moments, and once more on the way back."""
    chance = random.Random(20_261_125)  # noqa: S311  (the same moments each time)
    started = time.monotonic()
    traveller.project(*traveller.words)
    usual, deaths = time.monotonic() - started, 0
    for _ in range(4 * KILLS):
        traveller.renew()
        for _ in range(2):
            command = traveller.project.start(*traveller.words)
            time.sleep(chance.uniform(0, usual))
            command.kill()
            deaths += command.end().code == KILLED
        traveller.arrives()
        if deaths >= KILLS:
            break
    assert deaths >= KILLS
