"""The train suite catches every trainer that breaks a promise, and says which."""

import ctypes
import itertools
import random
import time
from pathlib import Path

import attrs
import numpy as np
from wrong_plugins import catches, each, opening, unclaimed

from interlock_hookspecs import (
    Artifact,
    Field,
    Maker,
    Score,
    bytes_digest,
    hookimpl,
    plugin,
)
from interlock_hookspecs.conformance.train import TrainSuite
from interlock_train_acme import AcmeTrainer


class Through:
    """A workspace that changes what is written on its way."""

    def __init__(self, ws, change):
        self.ws, self.change = ws, change

    def write_model(self, format, fitted, signature):  # noqa: A002
        return self.ws.write_model(format, *self.change(fitted, signature))

    def __getattr__(self, name):
        return getattr(self.ws, name)


class Signs(AcmeTrainer):
    """A mutant that signs its models otherwise."""

    @hookimpl
    def fit_candidate(self, rows, task, ws):
        def change(fitted, signature):
            return fitted, self.sign(signature, rows)

        return super().fit_candidate(rows, task, Through(ws, change))


class Adds(AcmeTrainer):
    """A mutant whose first share has a little more in it, which depends on something."""

    @hookimpl
    def fit_candidate(self, rows, task, ws):
        more = (self.more(rows, task) % 1000) / 1e9

        def change(fitted, signature):
            return [fitted[0] - more, fitted[1] + more, *fitted[2:]], signature

        return super().fit_candidate(rows, task, Through(ws, change))


class Says(AcmeTrainer):
    """A mutant that says something else of its candidate."""

    @hookimpl
    def fit_candidate(self, rows, task, ws):
        return self.say(super().fit_candidate(rows, task, ws))


class KeepsNoModel(Says):
    def say(self, made):
        artifact = Artifact(digest=bytes_digest(b"elsewhere"), size=9, name="model.json")
        return attrs.evolve(made, model=attrs.evolve(made.model, artifact=artifact))


class CountsOnlyOnes(Says):
    def say(self, made):
        return attrs.evolve(made, rows=made.rows // 2)


class SaysItWasImported(Says):
    def say(self, made):
        return attrs.evolve(made, origin="imported")


class StampsItself(Says):
    def say(self, made):
        return attrs.evolve(made, maker=Maker(plugin="train-acme", version="9"))


class ForgetsTheSeed(Says):
    def say(self, made):
        return attrs.evolve(made, seed=0)


class ScoresNoFold(Says):
    def say(self, made):
        return attrs.evolve(made, scores=[Score(name="roc_auc", folds=[])])


class ScoresNoNumber(Says):
    def say(self, made):
        return attrs.evolve(made, scores=[Score(name="roc_auc", folds=[0.5, float("nan")])])


class ScoresTwice(Says):
    def say(self, made):
        return attrs.evolve(made, scores=[Score(name="roc_auc", folds=[0.5])] * 2)


class TakesTheTargetForAFeature(Signs):
    def sign(self, signature, rows):
        inputs = (*signature.inputs, Field(name="y", type=str(rows.schema.field("y").type)))
        return attrs.evolve(signature, inputs=inputs)


class TakesEverythingForText(Signs):
    def sign(self, signature, rows):
        inputs = [attrs.evolve(field, type="string") for field in signature.inputs]
        return attrs.evolve(signature, inputs=inputs)


class ForgetsTheTime(Signs):
    def sign(self, signature, rows):
        return attrs.evolve(signature, time=None)


class NamesItsOutputs(Signs):
    def sign(self, signature, rows):
        outputs = [attrs.evolve(one, name=f"p_{one.name}") for one in signature.outputs]
        return attrs.evolve(signature, outputs=outputs)


class OrdersClassesBackwards(Signs):
    def sign(self, signature, rows):
        return attrs.evolve(signature, classes=signature.classes[::-1])


class ScoresTheOtherClass(Signs):
    def sign(self, signature, rows):
        (other,) = [label for label in signature.classes if label != signature.positive]
        return attrs.evolve(signature, positive=other)


class AsksForTheId(Signs):
    def sign(self, signature, rows):
        return attrs.evolve(signature, inputs=(*signature.inputs, signature.id), id=None)


class DrawsFromTheSharedGenerator(Adds):
    def more(self, rows, task):
        return np.random.randint(1000)  # noqa: NPY002  (what is wrong with it)


class CountsItsFits(Adds):
    ticks = itertools.count()

    def more(self, rows, task):
        return next(self.ticks)


@plugin(contract="1.0", kinds=("binary", "multiclass"))
class LearnsOn(Adds):
    seen: list = attrs.field(init=False, factory=list)

    def more(self, rows, task):
        self.seen.append(rows.num_rows)
        return sum(set(self.seen))


class SeesChunks(Adds):
    def more(self, rows, task):
        return rows["x"].num_chunks


class DependsOnTheHashSeed(Adds):
    def more(self, rows, task):
        return hash("acme")


class LearnsFromTheId(Adds):
    def more(self, rows, task):
        return len(rows["id"][0].as_py())


class LearnsFromExcludedColumns(Adds):
    def more(self, rows, task):
        return len(rows["phone"][0].as_py())


class BakesTheThresholdIn(Adds):
    def more(self, rows, task):
        return int(task.threshold * 100)


class ReadsTheHeldOutRows(Adds):
    def more(self, rows, task):
        return int(Path(task.dataset).exists())


class DependsOnTheSeedAndTheClock(Adds):
    def more(self, rows, task):
        return time.perf_counter_ns() if task.seed else 0


@plugin(contract="1.0", kinds=("binary", "multiclass"))
class HoldsItsRowsOnItself(AcmeTrainer):
    latest: object = attrs.field(init=False, default=None)

    @hookimpl
    def fit_candidate(self, rows, task, ws):
        self.latest = rows
        time.sleep(0.05)
        return super().fit_candidate(self.latest, task, ws)


class WritesClassesPlainly(Signs):
    def sign(self, signature, rows):
        if signature.kind == "binary":
            return signature
        outputs = [attrs.evolve(one, name=one.name.replace("\n", " ")) for one in signature.outputs]
        return attrs.evolve(signature, outputs=outputs)


class StripsNames(Signs):
    def sign(self, signature, rows):
        inputs = [attrs.evolve(field, name=field.name.strip()) for field in signature.inputs]
        return attrs.evolve(signature, inputs=inputs)


class ChangesTheRows(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        made = super().fit_candidate(rows, task, ws)
        values = rows["sex"].chunk(0).buffers()[1]
        ctypes.memset(values.address, 0, values.size)
        return made


class LeavesItsNotes(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        Path("notes.txt").write_text("fitted")
        return super().fit_candidate(rows, task, ws)


class TakesUpAHalf(AcmeTrainer):
    halves = []  # noqa: RUF012  (what is wrong with it)

    @hookimpl
    def fit_candidate(self, rows, task, ws):
        if self.halves:
            return super().fit_candidate(self.halves.pop(), task, ws)
        self.halves.append(rows)
        made = super().fit_candidate(rows, task, ws)
        self.halves.clear()
        return made


class SeedsTheSharedGenerator(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        random.seed(task.seed)
        return super().fit_candidate(rows, task, ws)


MUTANTS = [
    (KeepsNoModel, "it_fits", "NotFound: nothing is kept"),
    (CountsOnlyOnes, "it_fits", "200 rows are said, of 400"),
    (SaysItWasImported, "it_fits", "a model that was trained is said to be imported"),
    (StampsItself, "it_fits", "a candidate says itself who made it"),
    (TakesTheTargetForAFeature, "the_signature_is_the_tasks", "'y' is an input, and no feature"),
    (AsksForTheId, "the_signature_is_the_tasks", "'id' is an input, and no feature"),
    (TakesEverythingForText, "the_signature_is_the_tasks",
     "an input is of another type than its column"),
    (ForgetsTheTime, "the_signature_is_the_tasks",
     "the column 'größe [cm]' is not taken beside the features"),
    (NamesItsOutputs, "the_signature_is_the_tasks", "the outputs of a binary model are"),
    (OrdersClassesBackwards, "the_signature_is_the_tasks",
     "the classes are not the target's values, sorted"),
    (ScoresTheOtherClass, "the_signature_is_the_tasks",
     "the score is of another class than `positive`"),
    (DrawsFromTheSharedGenerator, "the_same_rows_give_the_same_model",
     "fitted again, a model is another"),
    (CountsItsFits, "the_same_rows_give_the_same_model", "fitted again, a model is another"),
    (LearnsOn, "the_same_rows_give_the_same_model", "fitted again, a model is another"),
    (SeesChunks, "the_same_rows_give_the_same_model", "chunks or encodings of the rows make"),
    (DependsOnTheHashSeed, "the_same_rows_give_the_same_model_in_every_process",
     "another process fits another model"),
    (HoldsItsRowsOnItself, "many_fit_at_once", "fitted at once with others, a model is another"),
    (ForgetsTheSeed, "the_seed_is_on_record", "the seed was 7, and 0 is on record"),
    (DependsOnTheSeedAndTheClock, "the_seed_is_on_record", "one seed gives two models"),
    (LearnsFromTheId, "what_is_no_feature_makes_no_difference", "other ids, with equal features"),
    (LearnsFromExcludedColumns, "what_is_no_feature_makes_no_difference",
     "another excluded column, with equal features"),
    (BakesTheThresholdIn, "what_is_no_feature_makes_no_difference", "another threshold"),
    (ReadsTheHeldOutRows, "what_is_no_feature_makes_no_difference",
     "another source behind the rows"),
    (AsksForTheId, "a_request_needs_features_only", "rows of the features alone are refused"),
    (WritesClassesPlainly, "hard_targets_are_no_fault", "hostile classes"),
    (StripsNames, "any_name_is_a_column", "an input has a name that no column has"),
    (ScoresNoFold, "scores_are_numbers", "the score roc_auc has no folds"),
    (ScoresNoNumber, "scores_are_numbers", "the score roc_auc is no finite number"),
    (ScoresTwice, "scores_are_numbers", "two scores have one name"),
    (ChangesTheRows, "rows_and_folders_are_left_alone", "a fit changes the rows"),
    (LeavesItsNotes, "rows_and_folders_are_left_alone", "a fit leaves notes.txt"),
    (TakesUpAHalf, "an_interrupted_fit_leaves_nothing",
     "after an interrupted fit, a model is another"),
    (SeedsTheSharedGenerator, "it_leaves_the_process_as_it_was", "the random numbers of `random`"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A trainer with one broken promise fails that promise's test, in words that say it."""
    catches(TrainSuite, lambda folder: mutant(), test, sentence, ws=opening)


def test_the_trainer_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation every promise is held."""
    assert unclaimed(TrainSuite, lambda folder: AcmeTrainer(), ws=opening) == []
