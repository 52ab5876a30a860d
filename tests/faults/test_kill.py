"""A run killed anywhere: the record is whole, and the same run goes on to its end."""

import os
import random
import time
from pathlib import Path

import pytest
from ports import free_port

from interlock.processes import mark

KILL_POINTS = Path(__file__).with_name("kill_points.py")
KILLED = -9
STAGES = range(1, 8)
AFTER = [
    ("run.started", 1),
    *(("stage.started", stage) for stage in STAGES),
    ("version.intended", 1),
    ("deployment.targets", 1),
    ("alias.intended", 1),
    ("run.finished", 1),
]
WITHIN = [
    ("run.started", 1),
    # The commit before the start of a stage is the end of the one before it.
    *(("stage.started", stage) for stage in STAGES),
    *(("stage.finished", stage) for stage in STAGES),
    ("candidate.made", 1),
    ("alias.moved", 1),
    ("run.finished", 1),
]
BETWEEN = [
    *((where, "-", nth) for where in ("placing", "placed") for nth in (1, 3, 5)),
    ("answered", "fit_candidate", 1),
    ("answered", "register_version", 1),
    ("answered", "set_alias", 1),
]


@pytest.fixture
def newborn(victim_of, small):
    """A project without a ledger."""
    return victim_of(small)


def kill(victim, **where):
    """A run that dies at a place."""
    victim.renew()
    victim.project("run", expect=KILLED, **where)
    return victim.survives()


@pytest.mark.parametrize(("kind", "nth"), AFTER)
def test_after_an_event(victim, kind, nth):
    """Killed when an event was just written: the run goes on from there."""
    kill(victim, KILL_AFTER=f"{kind} {nth}")


@pytest.mark.parametrize(("kind", "nth"), WITHIN)
def test_within_the_transaction_of_an_event(victim, kind, nth):
    """Killed before the commit: nothing of the transaction is there, and the run goes on."""
    kill(victim, first=KILL_POINTS, KILL=f"within {kind} {nth}")


@pytest.mark.parametrize(("where", "name", "nth"), BETWEEN)
def test_between_an_act_and_its_record(victim, where, name, nth):
    """Killed in an artifact's write, or after a backend acted: the act is found, or done again."""
    kill(victim, first=KILL_POINTS, KILL=f"{where} {name} {nth}")


def test_what_the_dead_left_is_swept(victim):
    """Half an artifact and folders to work in: gone with a run after an hour, the living's not."""
    scratch = victim.project.folder / ".interlock/artifacts/scratch"
    victim.renew()
    victim.project("run", expect=KILLED, first=KILL_POINTS, KILL="placing - 2")
    left = list(scratch.iterdir())
    assert any(path.suffix == ".tmp" for path in left)
    ours, strange = scratch / f"{mark()}.mine", scratch / "0123456789ab-1-1.theirs"
    for path in (ours, strange):
        path.mkdir()
    victim.survives()
    assert {*left, ours, strange} <= {*scratch.iterdir()}
    for path in (*left, ours, strange):
        os.utime(path, times=(0, time.time() - 2 * 3600))
    victim.renew()
    victim.survives()
    assert sorted(scratch.iterdir()) == sorted([ours, strange])
    os.utime(strange, times=(0, time.time() - 8 * 24 * 3600))
    victim.renew()
    victim.survives()
    assert list(scratch.iterdir()) == [ours]


def test_runs_that_nobody_resumes(victim):
    """One died when the registry had moved the alias, one before it did; the next goes on."""
    victim.renew()
    victim.project("run", expect=KILLED, first=KILL_POINTS, KILL="answered set_alias 1")
    victim.renew()
    victim.project("run", expect=KILLED, KILL_AFTER="alias.intended 1")
    kill(victim, KILL_AFTER="run.started 1")


def test_the_endpoint_follows_the_last_of_them(victim):
    """After all these deaths one server answers, with the release of the last run."""
    run, _ = victim.look()
    victim.answers(run)


@pytest.mark.parametrize(
    "where",
    [
        {"KILL_AFTER": "run.started 1"},
        {"KILL_AFTER": "deployment.intended 1"},
        {"first": KILL_POINTS, "KILL": "within deployment.applied 1"},
        {"first": KILL_POINTS, "KILL": "within alias.intended 1"},
    ],
    ids=lambda where: where.get("KILL", where.get("KILL_AFTER")),
)
def test_in_the_first_run_of_a_project(newborn, where):
    """Killed while the ledger, the registry or the server is new: one server comes of it."""
    with (newborn.project.folder / "interlock.toml").open("a") as file:
        file.write(f"[stack.dev.deploy-local]\nport = {free_port()}\n")
    newborn.answers(kill(newborn, **where))


def test_while_a_ledger_is_made(newborn):
    """Killed in the first moments of a project, again and again: there is one ledger in the end."""
    chance = random.Random(20_261_123)  # noqa: S311  (the same moments each time)
    for _ in range(8):
        command = newborn.project.start("status")
        time.sleep(chance.uniform(0, 0.12))
        command.kill()
        command.end()
    newborn.renew()
    newborn.survives()
