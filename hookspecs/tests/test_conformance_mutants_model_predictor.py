"""The model suite catches every predictor that breaks a promise, and says which."""

import ctypes
import time

import attrs
import numpy as np
import pyarrow as pa
from wrong_plugins import catches, each

from interlock_hookspecs import (
    InvalidInput,
    hookimpl,
)
from interlock_model_acme import AcmeFormat, LinearPredictor
from interlock_model_acme_conformance import AcmeFormatSuite


class Predicts(AcmeFormat):
    """A mutant with another predictor."""

    @hookimpl
    def open_model(self, model, ws):
        found = super().open_model(model, ws)
        return self.kind(signature=found.signature, linear=found.linear)


class ScalesByTheBatch(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            found = super().predict(rows)
            columns = [column.to_numpy() for column in found.columns]
            return pa.table(
                {
                    name: column / max(np.abs(column).max(initial=0), 1e-9) / len(columns)
                    for name, column in zip(found.column_names, columns, strict=True)
                }
            )


class AnswersBackwards(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            found = super().predict(rows)
            order = np.argsort(found[0].to_numpy()) if rows.num_rows == 60 else range(len(found))
            return found.take(list(order))


class ReadsByPlace(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            names = [field.name for field in self.signature.inputs]
            return super().predict(rows.select(range(len(names))).rename_columns(names))


class ReadsTheFirstChunk(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            return super().predict(rows.slice(0, len(rows[0].chunk(0))))


class NeedsARow(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            rows[0][0]
            return super().predict(rows)


class ChangesTheRows(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            found = super().predict(rows)
            if rows.num_rows:
                values = rows[0].chunk(0).buffers()[1]
                ctypes.memset(values.address, 0, values.size)
            return found


class FillsWhatIsMissing(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            for field in self.signature.inputs:
                if field.name not in rows.column_names:
                    rows = rows.append_column(field.name, pa.array([0.0] * rows.num_rows))
            return super().predict(rows)


class QuotesAValue(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            try:
                return super().predict(rows)
            except InvalidInput as error:
                raise InvalidInput(f"{error}: {rows.slice(0, 1).to_pylist()}") from error


class AnswersNoNumber(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            try:
                return super().predict(rows)
            except InvalidInput:
                names = [field.name for field in self.signature.outputs]
                return pa.table({name: [float("nan")] * rows.num_rows for name in names})


class AddsAColumn(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            return super().predict(rows).append_column("decision", pa.array([1] * rows.num_rows))


class ScoresBeyondOne(Predicts):
    @attrs.frozen(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            found = super().predict(rows)
            return pa.table({name: pa.array(found[name].to_numpy() * 2)
                             for name in found.column_names})  # fmt: skip


class HoldsItsRowsOnItself(Predicts):
    @attrs.define(kw_only=True)
    class kind(LinearPredictor):  # noqa: N801
        def predict(self, rows):
            object.__setattr__(self, "linear", (self.linear, rows)[0])
            self.__class__.latest = rows
            time.sleep(0.001)
            return super().predict(self.__class__.latest)


MUTANTS = [
    (AddsAColumn, "a_model_opens", "and the signature says"),
    (ScoresBeyondOne, "a_model_opens", "a score is no probability"),
    (ScalesByTheBatch, "a_row_has_its_own_answer",
     "a row alone is answered otherwise than among others"),
    (ReadsByPlace, "a_row_has_its_own_answer", "chunks, the order of columns or a column beside"),
    (ReadsTheFirstChunk, "a_row_has_its_own_answer", "40 rows have 7 answers"),
    (NeedsARow, "any_number_of_rows_is_answered", "IndexError"),
    (ChangesTheRows, "any_number_of_rows_is_answered", "a prediction changes the rows"),
    (FillsWhatIsMissing, "a_column_that_does_not_fit_is_refused",
     "the missing 'x' is passed over: nothing is raised where InvalidInput is promised"),
    (QuotesAValue, "a_column_that_does_not_fit_is_refused",
     "the error repeats a value of a data row"),
    (AnswersNoNumber, "hard_values_are_no_fault", "an answer in 'score' is no finite number"),
    (HoldsItsRowsOnItself, "many_ask_at_once", "a thread has the answers of another"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A predictor with one broken promise fails that promise's test, in words that say it."""
    catches(AcmeFormatSuite, lambda folder: mutant(), test, sentence)
