"""The model suite catches every format that breaks a promise, and says which."""

import itertools
import json
import os
import pickle
import time

import attrs
import numpy as np
from wrong_plugins import catches, each, unclaimed

from interlock_hookspecs import (
    InvalidInput,
    NotFound,
    Secret,
    Unsupported,
    hookimpl,
    plugin,
    setting,
)
from interlock_hookspecs.conformance.model import ModelSuite
from interlock_model_acme import AcmeFormat, Linear, LinearPredictor
from interlock_model_acme_conformance import AcmeFormatSuite


class Writes(AcmeFormat):
    """A mutant that says something else of what it wrote."""

    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        return self.say(super().write_model(format, fitted, signature, ws))


class Spells(AcmeFormat):
    """A mutant that writes blanks behind the JSON, whose number depends on something."""

    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        made = super().write_model(format, fitted, signature, ws)
        path = ws.scratch() / "model.json"
        path.write_text(ws.locate(made.artifact).read_text() + " " * (self.blanks(fitted) % 999))
        return attrs.evolve(made, artifact=ws.keep(path))


class SaysAnotherFormat(Writes):
    def say(self, made):
        return attrs.evolve(made, format="json")


class ChangesTheSignature(Writes):
    def say(self, made):
        inputs = made.signature.inputs[::-1]
        return attrs.evolve(made, signature=attrs.evolve(made.signature, inputs=inputs))


class RequiresAFolder(Writes):
    def say(self, made):
        return attrs.evolve(made, requirements=["./wheels/acme.whl"])


class ReadsItsScratchLater(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        found = super().open_model(model, ws)
        path = ws.scratch() / "model.json"
        path.write_text("{}")

        @attrs.frozen(kw_only=True)
        class Reads(LinearPredictor):
            def predict(self, rows):
                path.read_text()
                return super().predict(rows)

        return Reads(signature=found.signature, linear=found.linear)


@plugin(contract="1.0")
class KeepsModelsInMemory(AcmeFormat):
    memory: dict = attrs.field(init=False, factory=dict)

    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        made = super().write_model(format, fitted, signature, ws)
        self.memory[made.digest] = super().open_model(made, ws)
        return made

    @hookimpl
    def open_model(self, model, ws):
        if model.digest not in self.memory:
            raise NotFound("the model is not in memory")
        return self.memory[model.digest]


class CountsItsWrites(Spells):
    ticks = itertools.count()

    def blanks(self, fitted):
        return next(self.ticks)


class WritesAddresses(Spells):
    def blanks(self, fitted):
        return id(fitted) >> 4


class DependsOnTheHashSeed(Spells):
    def blanks(self, fitted):
        return hash("acme")


class ForgetsTheWeights(AcmeFormat):
    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        if isinstance(fitted, Linear):
            fitted = Linear(
                weights=tuple((0.0,) * len(row) for row in fitted.weights),
                intercepts=(0.0,) * len(fitted.intercepts),
            )
        return super().write_model(format, fitted, signature, ws)


@plugin(contract="1.0")
class OpensOneModelForAll(AcmeFormat):
    first: dict = attrs.field(init=False, factory=dict)

    @hookimpl
    def open_model(self, model, ws):
        found = super().open_model(model, ws)
        return self.first.setdefault(model.signature, found)


class RoundsTheObject(AcmeFormat):
    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        made = super().write_model(format, fitted, signature, ws)
        object.__setattr__(fitted, "intercepts", tuple(map(round, fitted.intercepts)))
        return made


class WritesToOnePlace(AcmeFormat):
    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        made = super().write_model(format, fitted, signature, ws)
        path = ws.scratch().parent / "latest.json"
        path.write_text(ws.locate(made.artifact).read_text())
        time.sleep(0.05)
        return attrs.evolve(made, artifact=ws.keep(path, name="model.json"))


@plugin(contract="1.0")
class OpensFromMemory(AcmeFormat):
    memory: dict = attrs.field(init=False, factory=dict)

    @hookimpl
    def open_model(self, model, ws):
        if model.digest not in self.memory:
            self.memory[model.digest] = super().open_model(model, ws)
        return self.memory[model.digest]


class RaisesItsLibrarysError(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        json.loads(ws.locate(model.artifact).read_text(encoding="utf-8", errors="replace"))
        return super().open_model(model, ws)


class OpensWhatItCan(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        path = ws.locate(model.artifact)
        try:
            return super().open_model(model, ws)
        except InvalidInput:
            if path.stat().st_size:
                raise
            outputs, inputs = len(model.signature.outputs), len(model.signature.inputs)
            return LinearPredictor(
                signature=model.signature,
                linear=Linear(weights=((0.0,) * inputs,) * outputs, intercepts=(0.0,) * outputs),
            )


class TellsALongStory(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        try:
            return super().open_model(model, ws)
        except InvalidInput as error:
            raise InvalidInput(f"{error}\nit was opened\nas JSON") from error


class Unpickles(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        try:
            pickle.loads(ws.locate(model.artifact).read_bytes())  # noqa: S301
        except Exception:  # noqa: BLE001
            return super().open_model(model, ws)
        raise InvalidInput("the model is a pickle")


class Evaluates(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        try:
            eval(ws.locate(model.artifact).read_text())  # noqa: S307
        except Exception:  # noqa: BLE001
            return super().open_model(model, ws)
        return super().open_model(model, ws)


class LoadsArraysOfObjects(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        try:
            np.load(ws.locate(model.artifact), allow_pickle=True)
        except Exception:  # noqa: BLE001
            return super().open_model(model, ws)
        raise InvalidInput("the model is an array")


class WritesAnything(AcmeFormat):
    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        try:
            return super().write_model(format, fitted, signature, ws)
        except Unsupported:
            empty = Linear(weights=((0.0, 0.0),), intercepts=(0.0,))
            return super().write_model(format, empty, signature, ws)


class StumblesOverObjects(AcmeFormat):
    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        attrs.asdict(fitted)
        return super().write_model(format, fitted, signature, ws)


class KeepsBeforeItLooks(AcmeFormat):
    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        path = ws.scratch() / "model.txt"
        path.write_text(repr(fitted))
        ws.keep(path)
        return super().write_model(format, fitted, signature, ws)


class TakesUpAHalf(AcmeFormat):
    halves = []  # noqa: RUF012  (what is wrong with it)

    @hookimpl
    def write_model(self, format, fitted, signature, ws):  # noqa: A002
        fitted = self.halves.pop() if self.halves else fitted
        self.halves.append(fitted)
        made = super().write_model(format, fitted, signature, ws)
        self.halves.clear()
        return made


class PackagesForAnother(AcmeFormat):
    @hookimpl
    def package_model(self, format, model, ws):  # noqa: A002
        return attrs.evolve(
            model, format=format, signature=attrs.evolve(model.signature, inputs=())
        )


class SilencesNumpy(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        np.seterr(all="ignore")
        return super().open_model(model, ws)


class SetsTheEnvironment(AcmeFormat):
    @hookimpl
    def open_model(self, model, ws):
        os.environ["ACME_MODEL"] = model.digest
        return super().open_model(model, ws)


@plugin(contract="1.0")
class TellsItsToken(AcmeFormat):
    token: str | Secret[str] = setting("", doc="a secret")

    @hookimpl
    def open_model(self, model, ws):
        try:
            return super().open_model(model, ws)
        except InvalidInput as error:
            token = self.token.reveal() if isinstance(self.token, Secret) else self.token
            raise InvalidInput("the model was refused") from ValueError(f"{error}: {token}")


MUTANTS = [
    (SaysAnotherFormat, "a_model_opens", "a model of acme says that it is json"),
    (ChangesTheSignature, "a_model_opens", "the signature changes when a model is written"),
    (RequiresAFolder, "a_model_opens", "the requirement './wheels/acme.whl' is none of pip's"),
    (ReadsItsScratchLater, "a_model_opens", "FileNotFoundError"),
    (KeepsModelsInMemory, "a_model_opens", "NotFound: the model is not in memory"),
    (CountsItsWrites, "equal_states_are_equal_bytes",
     "written again, a model is another record"),
    (WritesAddresses, "equal_states_are_equal_bytes", "an object of equal state has other bytes"),
    (DependsOnTheHashSeed, "equal_states_are_equal_bytes_in_every_process",
     "another process writes other bytes of an equal state"),
    (ForgetsTheWeights, "another_state_is_other_bytes", "two models have one digest"),
    (OpensOneModelForAll, "another_state_is_other_bytes", "two models give the answers of one"),
    (RoundsTheObject, "writing_changes_nothing", "writing a model changes the fitted object"),
    (WritesToOnePlace, "many_write_and_open_at_once",
     "written at once with others, a model has other bytes"),
    (OpensFromMemory, "altered_bytes_are_not_opened",
     "a file that is cut is opened under its digest"),
    (RaisesItsLibrarysError, "a_malformed_file_is_refused",
     "an empty file: it is opened: JSONDecodeError is raised where InvalidInput is promised"),
    (OpensWhatItCan, "a_malformed_file_is_refused",
     "an empty file: it is opened: nothing is raised"),
    (TellsALongStory, "a_malformed_file_is_refused", "the error is many lines"),
    (Unpickles, "a_file_decides_on_no_code", "a pickle: opening it ran the code that it names"),
    (Evaluates, "a_file_decides_on_no_code", "Python: opening it ran the code that it names"),
    (LoadsArraysOfObjects, "a_file_decides_on_no_code", "opening it ran the code that it names"),
    (WritesAnything, "what_cannot_be_written_is_unsupported", "an object: it is kept"),
    (StumblesOverObjects, "what_cannot_be_written_is_unsupported",
     "NotAnAttrsClassError is raised where Unsupported is promised"),
    (KeepsBeforeItLooks, "what_cannot_be_written_is_unsupported", "an object: it is kept"),
    (TakesUpAHalf, "an_interrupted_write_leaves_nothing",
     "after an interrupted write, a model is another"),
    (PackagesForAnother, "a_model_is_packaged", "a packaged model has another signature"),
    (SilencesNumpy, "it_leaves_the_process_as_it_was", "how numpy treats errors"),
    (SetsTheEnvironment, "it_leaves_the_process_as_it_was", "the environment"),
    (TellsItsToken, "no_error_shows_a_secret", "an error shows the secret setting 'token'"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A format with one broken promise fails that promise's test, in words that say it."""
    catches(AcmeFormatSuite, lambda folder: mutant(), test, sentence)


def test_the_format_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation nothing is broken; only the packaging that it lacks is unclaimed."""
    left = [one.test for one in unclaimed(AcmeFormatSuite, lambda folder: AcmeFormat())]
    assert left == ["test_a_model_is_packaged"]


def test_a_format_without_a_model_to_write_is_told_to_give_one():
    """A format that no trainer hands anything to breaks nothing silently."""
    catches(ModelSuite, lambda folder: AcmeFormat(), "a_model_opens", "override `fitted`")
