"""A swap killed anywhere goes on to its end: nothing twice, nothing lost, the record whole."""

import os
import random
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from swap_project import events, holds, seed

from interlock.ledger import verify

FAULTS = Path(__file__).parents[1] / "faults"
KILL_POINTS, DIES_AFTER = FAULTS / "kill_points.py", FAULTS / "dies_after.py"
KILLS = int(os.environ.get("INTERLOCK_SWAP_KILLS", "8"))
KILLED = -9
VERSIONS = 6
MANY = 40
AFTER = [
    ("swap.started", 1),
    ("artifacts.copied", 1),
    *(("version.copied", nth) for nth in (1, VERSIONS // 2, VERSIONS)),
    *(("alias.copied", nth) for nth in (1, 3)),
    ("swap.finished", 1),
]
WITHIN = [
    ("swap.started", 1),
    ("artifacts.copied", 1),
    *(("version.copied", nth) for nth in (1, VERSIONS)),
    ("alias.copied", 2),
    ("swap.finished", 1),
]
BETWEEN = [
    *((where, "-", nth) for where in ("placing", "placed") for nth in (1, 3)),
    *(("answered", "register_version", nth) for nth in (1, VERSIONS)),
    *(("answered", "set_alias", nth) for nth in (1, 3)),
    ("answered", "list_versions", 3),
]


class Victim:
    """A project whose swaps are killed, each from the same old registry to an empty one."""

    def __init__(self, project, opened, count):
        self.project = project
        self.opened = opened
        shutil.copy(DIES_AFTER, project.folder / "project.py")
        project.edit('registry = "acme"\n', 'registry = "acme"\nartifacts = ".interlock/next"\n')
        old = opened(project, "dev")
        seed(old, count)
        self.held = holds(old)
        self.count = count

    def renew(self):
        """Forget every swap: the ledger, the new registry and its artifacts."""
        home = self.project.folder / ".interlock"
        for path in (*home.glob("ledger.db*"), *home.glob("acme.db*")):
            path.unlink()
        for name in ("next", "checkpoints"):
            shutil.rmtree(home / name, ignore_errors=True)

    def killed(self, **where):
        """Begin a swap that dies at a place, then go on with it."""
        self.renew()
        self.project("stack", "apply", "--to", "next", expect=KILLED, **where)
        self.survives()

    def survives(self):
        """Whatever was left, the same command does the rest."""
        self.look()
        self.project("stack", "apply", "--to", "next")
        old, new = self.opened(self.project, "dev"), self.opened(self.project, "next")
        assert holds(new) == holds(old) == self.held
        for version in self.held:
            assert holds(new).count(version) == 1
        artifacts = [*self.project.folder.glob(".interlock/next/sha256/*/*")]
        assert len([path for path in artifacts if path.suffix != ".tmp"]) == self.count
        copied = Counter(subject for subject, _ in events(old, "version.copied"))
        assert copied == Counter(version.id for version in self.held)
        assert len(events(old, "alias.copied")) == 3
        for kind in ("swap.started", "artifacts.copied", "swap.finished"):
            assert len(events(old, kind)) == 1, kind
        assert verify(old.ledger).ok

    def look(self):
        """The record of the moment of death is whole, and the old registry has what it had."""
        old = self.opened(self.project, "dev")
        assert verify(old.ledger).ok
        assert holds(old) == self.held


@pytest.fixture
def victim(two, opened):
    """A project with a few versions."""
    return Victim(two, opened, VERSIONS)


@pytest.mark.parametrize(("kind", "nth"), AFTER)
def test_after_an_event_of_the_swap(victim, kind, nth):
    """Killed when an event was just written: the swap goes on from there."""
    victim.killed(KILL_AFTER=f"{kind} {nth}")


@pytest.mark.parametrize(("kind", "nth"), WITHIN)
def test_within_the_transaction_of_an_event_of_the_swap(victim, kind, nth):
    """Killed before the commit: what was done and not recorded is found, not done twice."""
    victim.killed(first=KILL_POINTS, KILL=f"within {kind} {nth}")


@pytest.mark.parametrize(("where", "name", "nth"), BETWEEN)
def test_between_an_act_of_the_swap_and_its_record(victim, where, name, nth):
    """Killed in a copy, or when the new registry had answered and the ledger did not know."""
    victim.killed(first=KILL_POINTS, KILL=f"{where} {name} {nth}")


def test_a_swap_killed_at_any_moment_and_again(two, opened):
    """Killed at random moments, each time from where the last death left it, until it is done."""
    victim = Victim(two, opened, MANY)
    chance = random.Random(20_261_125)  # noqa: S311  (the same moments each time)
    started = time.monotonic()
    victim.survives()
    usual, deaths = time.monotonic() - started, 0
    for _ in range(4 * KILLS):
        victim.renew()
        for _ in range(3):
            command = two.start("stack", "apply", "--to", "next")
            time.sleep(chance.uniform(0, usual / 2))
            command.kill()
            deaths += command.end().code == KILLED
            victim.look()
        victim.survives()
        if deaths >= KILLS:
            break
    assert deaths >= KILLS


def test_a_swap_that_another_process_is_at_is_left_to_it(victim):
    """While the one lives, the other is refused, naming it; it goes on when that is dead."""
    victim.renew()
    command = victim.project.start(
        "stack", "apply", "--to", "next", first=KILL_POINTS.with_name("stopped.py"),
        STOP="swap.started",
    )  # fmt: skip
    deadline = time.monotonic() + 60
    session = victim.opened(victim.project, "dev")
    while not events(session, "swap.started"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    from interlock.errors import UsageError
    from interlock.lifecycle.swap.apply import apply_plan

    with pytest.raises(UsageError, match=f"is at work in process {command.pid}"):
        apply_plan(session, victim.opened(victim.project, "next"))
    command.kill()
    assert command.end().code == KILLED
    victim.survives()


def test_a_plan_begun_is_the_plan_that_is_gone_on_with(victim):
    """Another digest is refused while it is under way; `stack plan` says that it is."""
    victim.renew()
    plan = victim.project.listed("stack", "plan", "--to", "next")["digest"]
    apply = ("stack", "apply", "--to", "next")
    victim.project(*apply, "--plan", plan, expect=KILLED, KILL_AFTER="version.copied 2")
    said = victim.project("stack", "plan", "--to", "next")
    assert f"a swap with the plan {plan[:19]} is begun and not done" in said.err
    error = victim.project(*apply, "--plan", "sha256:0000", expect=2).err
    assert "that swap was begun and is not done" in error
    victim.project(*apply, "--plan", plan)
    assert len(events(victim.opened(victim.project, "dev"), "swap.finished")) == 1
