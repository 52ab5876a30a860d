"""The registry suite catches what only hard versions, far zones or many callers bring to light."""

import threading
import time
import unicodedata
from datetime import UTC

import attrs
import pytest
from wrong_plugins import catches, each

from interlock_hookspecs import Conflict, Facts, InvalidInput, Unavailable, hookimpl
from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_hookspecs.conformance.suite import run
from interlock_registry_acme import AcmeRegistry


class ComparesOutsideTheLock(AcmeRegistry):
    @hookimpl
    def set_alias(self, name, alias, expected, number):
        found = self.get_version(name, f"@{alias}")
        current = found and found.number
        if current != expected:
            raise Conflict("moved", expected=expected, found=current)
        time.sleep(0.2)
        with self._transaction() as db:
            db.execute("insert or replace into aliases values (?, ?, ?)", [name, alias, number])


class LocksItsThreadsOnly(AcmeRegistry):
    lock = threading.Lock()

    @hookimpl
    def set_alias(self, name, alias, expected, number):
        with self.lock:
            found = self.get_version(name, f"@{alias}")
            current = found and found.number
            if current != expected:
                raise Conflict("moved", expected=expected, found=current)
            time.sleep(0.1)
            found = self.get_version(name, f"@{alias}")
            super().set_alias(name, alias, found and found.number, number)


class LeavesItsLock(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        lock = self.root / "lock"
        if lock.exists():
            raise Unavailable("somebody registers: try again")
        lock.touch()
        made = super().register_version(name, id, model, facts)
        time.sleep(0.2)
        lock.unlink()
        return made


class CutsLongFacts(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        texts = {key: value[:5_000] for key, value in facts.items() if isinstance(value, str)}
        return super().register_version(name, id, model, Facts({**facts, **texts}))


class TakesEmptyForMissing(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        kept = Facts({key: None if value == "" else value for key, value in facts.items()})
        return super().register_version(name, id, model, kept)


class ComposesNamesOfFacts(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        kept = {unicodedata.normalize("NFC", key): value for key, value in facts.items()}
        return super().register_version(name, id, model, Facts(kept))


class TellsTheTimeOfItsWall(AcmeRegistry):
    @hookimpl
    def get_version(self, name, ref):
        found = super().get_version(name, ref)
        return found and attrs.evolve(found, at=found.at.astimezone().replace(tzinfo=UTC))


class RefusesFactsThatItSaidToFit(AcmeRegistry):
    @hookimpl
    def register_version(self, name, id, model, facts):  # noqa: A002
        if len(facts) > 1_000:
            raise InvalidInput("these facts are many")
        return super().register_version(name, id, model, facts)


MUTANTS = [
    (ComparesOutsideTheLock, "one_of_many_moves_the_alias",
     "several callers moved one alias from the same version"),
    (LocksItsThreadsOnly, "many_processes_move_the_alias", "of 8 moves by 4 processes"),
    (LeavesItsLock, "a_killed_registration_can_be_made_again", "Unavailable: somebody registers"),
    (CutsLongFacts, "a_hard_version_comes_back_whole_or_is_refused",
     "a long text: the facts that come back are others"),
    (TakesEmptyForMissing, "a_hard_version_comes_back_whole_or_is_refused",
     "empty texts: the facts that come back are others"),
    (ComposesNamesOfFacts, "a_hard_version_comes_back_whole_or_is_refused",
     "hostile names: the facts that come back are others"),
    (TellsTheTimeOfItsWall, "the_time_is_the_same_in_every_zone",
     "the time depends on the time zone of who reads it"),
    (RefusesFactsThatItSaidToFit, "a_misfit_is_told_before",
     "a thousand inputs: it is not said to be a misfit, and refused all the same"),
]  # fmt: skip
ALONE = [
    (LocksItsThreadsOnly, "many_processes_move_the_alias"),
    (CutsLongFacts, "a_hard_version_comes_back_whole_or_is_refused"),
    (TellsTheTimeOfItsWall, "the_time_is_the_same_in_every_zone"),
]


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A registry with one broken promise fails that promise's test, in words that say it."""
    catches(RegistrySuite, lambda folder: mutant(root=folder), test, sentence)


@pytest.mark.parametrize(("mutant", "test"), ALONE)
def test_no_other_promise_catches(mutant, test):
    """What such a registry gets wrong only that one test brings to light."""
    outcomes = run(RegistrySuite, lambda folder: mutant(root=folder))
    assert [one.test for one in outcomes if one.status == "broken"] == [f"test_{test}"]
