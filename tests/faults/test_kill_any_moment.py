"""A run killed at a hundred random moments: each time the same run goes on to its end."""

import os
import random
import time

import pytest

KILLS = int(os.environ.get("INTERLOCK_KILLS", "100"))
TURNS = 5
KILLED = -9


@pytest.fixture
def fresh(serving_victim, tmp_path):
    """A project that serves already, and has little behind it: each death reads all of it."""
    with serving_victim(tmp_path) as made:
        yield made


@pytest.mark.parametrize("turn", range(TURNS))
def test_at_any_moment(fresh, turn):
    """Killed at random moments, INTERLOCK_KILLS of them in all."""
    chance = random.Random(turn)  # noqa: S311  (the same moments each time)
    kills = -(-KILLS // TURNS)
    started = time.monotonic()
    fresh.renew()
    run = fresh.survives()
    usual, deaths = time.monotonic() - started, 0
    for _ in range(4 * kills):
        fresh.renew()
        moment = chance.uniform(0, usual)
        command = fresh.project.start("run")
        time.sleep(moment)
        command.kill()
        if command.end().code == KILLED:
            deaths += 1
        else:
            # It had ended by then: later moments would only find ended runs.
            usual = moment
        run = fresh.survives()
        if deaths == kills:
            break
    fresh.answers(run)
    assert deaths == kills
