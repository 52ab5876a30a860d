"""The validate suite catches every validator that breaks a promise, and says which."""

import json
import os
import threading
import time

import attrs
import numpy as np
import pyarrow.compute as pc
from wrong_plugins import catches, each, unclaimed

from interlock_hookspecs import Check, InvalidInput, Maker, hookimpl, plugin
from interlock_hookspecs.conformance.rows import MARKER
from interlock_hookspecs.conformance.validate import ValidateSuite
from interlock_validate_acme import AcmeChecks


class Changes(AcmeChecks):
    """A mutant that changes each check of a candidate."""

    @hookimpl
    def check_model(self, predictor, heldout, task):
        return [self.change(check) for check in super().check_model(predictor, heldout, task)]


class MeasuresNothing(AcmeChecks):
    @hookimpl
    def check_data(self, rows):
        return ()

    @hookimpl
    def check_model(self, predictor):
        return ()


class MeasuresWithoutValues(MeasuresNothing):
    @hookimpl
    def check_model(self, predictor):
        return (Check(name="accuracy", reason="not today"),)


class NamesNoColumn(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        return [attrs.evolve(check, subject="") for check in super().check_data(rows, task)]


class PutsTheSubjectIntoTheName(Changes):
    def change(self, check):
        return attrs.evolve(check, name="accuracy[all]")


@plugin(contract="1.0", measures={"binary": ("nulls",)})
class MeasuresMoreThanItSays(AcmeChecks):
    pass


class TurnsTheInterval(Changes):
    def change(self, check):
        if check.low is None:
            return check
        return attrs.evolve(check, low=check.high, high=check.low)


class HasHalfAnInterval(Changes):
    def change(self, check):
        return attrs.evolve(check, high=None)


class CoversInPercent(Changes):
    def change(self, check):
        return attrs.evolve(check, level=95.0)


class CountsCellsAsRows(Changes):
    def change(self, check):
        return attrs.evolve(check, n=check.n * 7)


class DrawsWithoutASeed(Changes):
    def change(self, check):
        return attrs.evolve(check, low=check.low - np.random.default_rng().random())


class RemembersWhatItSaw(AcmeChecks):
    seen = 0

    @hookimpl
    def check_data(self, rows, task):
        RemembersWhatItSaw.seen += rows.num_rows
        nulls, *rest = super().check_data(rows, task)
        return [attrs.evolve(nulls, n=min(self.seen, 800)), *rest]


class LooksAtChunks(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        chunks = rows["x"].num_chunks
        return [Check(name="parts", value=chunks), *super().check_data(rows, task)]


class ReadsTheStorageOfText(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        longest = pc.max(pc.utf8_length(rows["city"])).as_py() if rows.num_rows else 0
        return [Check(name="longest", value=longest, reason="-"), *super().check_data(rows, task)]


class StampsItself(Changes):
    def change(self, check):
        return attrs.evolve(check, maker=Maker(plugin="validate-metrics", version="9"))


class TellsAStory(Changes):
    def change(self, check):
        return attrs.evolve(check, concern="first\nsecond")


class QuotesARow(Changes):
    def change(self, check):
        return attrs.evolve(check, concern=f"for example {MARKER}-7")


class QuotesARowInItsError(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        if rows.num_rows < 3:
            raise InvalidInput(f"too few rows: {rows.to_pylist()} {MARKER}")
        return super().check_data(rows, task)


class DividesByNothing(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        share = rows["x"].null_count / rows.num_rows
        return [Check(name="nulls", subject="x", value=share)]


class NeedsTwoClasses(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        if rows.num_rows > 2 and task.target in rows.column_names:
            _first, _second = pc.unique(rows[task.target]).to_pylist()[:2]
        return super().check_data(rows, task)


class NeedsTheTarget(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        rows[task.target]
        return super().check_data(rows, task)


class MeasuresOnlyAgainstAChampion(AcmeChecks):
    @hookimpl
    def check_model(self, predictor, heldout, task, champion):
        found = super().check_model(predictor, heldout, task)
        return [attrs.evolve(check, name="gain") for check in found] if champion else found


class GivesAGenerator(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        return (check for check in super().check_data(rows, task))


@plugin(contract="1.0", kinds=("ranking",))
class ServesNoKind(AcmeChecks):
    pass


@plugin(contract="1.0")
class WantsWhatNoHookGives(AcmeChecks):
    @hookimpl
    def check_model(self, predictor, heldout, task, labels):
        return ()


class HoldsItsRowsOnItself(AcmeChecks):
    held = {}  # noqa: RUF012  (what is wrong with it)

    @hookimpl
    def check_model(self, predictor, heldout, task):
        self.held["rows"] = heldout
        time.sleep(0.02)
        return super().check_model(predictor, self.held["rows"], task)


class SeedsNumpy(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        np.random.seed(task.seed)  # noqa: NPY002  (what is wrong with it)
        return super().check_data(rows, task)


class WantsItsRowsByKeyword(AcmeChecks):
    @hookimpl
    def check_data(self, *, rows, task):
        return super().check_data(rows, task)


class LeavesAThread(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        ended = threading.Event()
        # Longer than the suite waits, and not for ever: these tests have to end.
        threading.Thread(target=ended.wait, args=(20,), name="left behind").start()
        return super().check_data(rows, task)


class EndsTheProcess(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        try:
            os._exit(0)
        except Exception:  # noqa: BLE001
            return super().check_data(rows, task)


class FailsInALibrary(AcmeChecks):
    @hookimpl
    def check_data(self, rows, task):
        return super().check_data(rows, task) + json.loads("?")


MUTANTS = [
    (HoldsItsRowsOnItself, "many_measure_at_once", "measured at once with others, the same rows"),
    (SeedsNumpy, "it_leaves_the_process_as_it_was", "the random numbers of numpy"),
    (MeasuresNothing, "it_measures", "nothing is measured of a binary task"),
    (MeasuresWithoutValues, "it_measures", "no check of a sound binary candidate has a value"),
    (ServesNoKind, "it_measures", "serves no kind of task that works end to end"),
    (GivesAGenerator, "it_measures", "check_data gives generator, and no list"),
    (NamesNoColumn, "a_check_can_be_named", "two checks are called nulls"),
    (MeasuresMoreThanItSays, "a_check_can_be_named", "accuracy is not in its measures"),
    (PutsTheSubjectIntoTheName, "a_check_can_be_named", "a bound cannot name it"),
    (TurnsTheInterval, "an_interval_is_one", "accuracy has its interval upside down"),
    (HasHalfAnInterval, "an_interval_is_one", "accuracy has one end of an interval"),
    (CoversInPercent, "an_interval_is_one", "accuracy covers 95.0 of cases"),
    (CountsCellsAsRows, "it_counts_rows_that_there_are", "rests on 2800 rows of 800"),
    (DrawsWithoutASeed, "the_same_rows_give_the_same_checks",
     "asked again, the same rows give another accuracy"),
    (RemembersWhatItSaw, "the_same_rows_give_the_same_checks",
     "asked again, the same rows give another nulls[x]"),
    (LooksAtChunks, "how_rows_are_stored_makes_no_difference",
     "stored otherwise, the same rows give another parts"),
    (ReadsTheStorageOfText, "how_rows_are_stored_makes_no_difference", "ArrowNotImplementedError"),
    (StampsItself, "the_stamp_is_left_to_core", "accuracy says itself who made it"),
    (TellsAStory, "a_concern_is_a_sentence", "accuracy explains itself in several lines"),
    (QuotesARow, "a_concern_is_a_sentence", "accuracy repeats a value of a data row"),
    (QuotesARowInItsError, "few_rows_are_no_fault", "the error repeats a value of a data row"),
    (DividesByNothing, "few_rows_are_no_fault", "0 rows: ZeroDivisionError is raised"),
    (NeedsTwoClasses, "dull_rows_are_no_fault", "a target of one value: ValueError is raised"),
    (NeedsTheTarget, "a_missing_target_is_said", "rows without the target: KeyError is raised"),
    (MeasuresOnlyAgainstAChampion, "a_champion_hides_no_check",
     "accuracy is not measured beside a champion"),
    (WantsWhatNoHookGives, "it_keeps_to_the_form", "hook check_model wants the argument 'labels'"),
    (WantsItsRowsByKeyword, "it_keeps_to_the_form", "hook check_data takes 'rows' by keyword only"),
    (LeavesAThread, "it_leaves_the_process_as_it_was", "waits for ever: left behind; end them"),
    (EndsTheProcess, "it_leaves_the_process_as_it_was", "ends the process of whoever asks it"),
    (FailsInALibrary, "the_same_rows_give_the_same_checks",
     "JSONDecodeError: Expecting value: line 1 column 1 (char 0) (test_conformance_mutants_val"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A validator with one broken promise fails that promise's test, in words that say it."""
    catches(ValidateSuite, lambda folder: mutant(), test, sentence)


def test_the_validator_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation every promise is held."""
    assert unclaimed(ValidateSuite, lambda folder: AcmeChecks()) == []
