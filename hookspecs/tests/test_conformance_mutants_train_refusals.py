"""The train suite catches every trainer that stumbles where it should refuse."""

import pyarrow.compute as pc
from wrong_plugins import catches, each, opening

from interlock_hookspecs import (
    InvalidInput,
    Secret,
    Unsupported,
    hookimpl,
    plugin,
    setting,
)
from interlock_hookspecs.conformance.train import TrainSuite
from interlock_train_acme import AcmeTrainer


class StumblesOverAMissingTarget(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        rows[task.target]
        return super().fit_candidate(rows, task, ws)


class FitsOneClass(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        if task.target in rows.column_names and pc.count_distinct(rows[task.target]).as_py() == 1:
            other = pc.equal(rows["id"], rows["id"][0]).cast("int64")
            rows = rows.set_column(rows.column_names.index("y"), "y", other)
        return super().fit_candidate(rows, task, ws)


class QuotesARow(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        try:
            return super().fit_candidate(rows, task, ws)
        except InvalidInput as error:
            raise InvalidInput(f"{error}: {rows.slice(0, 1).to_pylist()}") from error


class NamesNoColumn(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        try:
            return super().fit_candidate(rows, task, ws)
        except InvalidInput as error:
            raise InvalidInput("the rows do not fit the task") from error


class StumblesOverOddTypes(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        for name in set(rows.column_names) & {"hard"}:
            rows[name].cast("double")
        return super().fit_candidate(rows, task, ws)


class NeedsManyRows(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        if rows.num_rows == 2:
            raise ZeroDivisionError
        return super().fit_candidate(rows, task, ws)


class PassesOverARefusal(AcmeTrainer):
    @hookimpl
    def fit_candidate(self, rows, task, ws):
        try:
            return super().fit_candidate(rows, task, ws)
        except Unsupported as error:
            raise InvalidInput("the model could not be written") from error


@plugin(contract="1.0", kinds=("binary", "multiclass"))
class TellsItsToken(AcmeTrainer):
    token: str | Secret[str] = setting("", doc="a secret")

    @hookimpl
    def fit_candidate(self, rows, task, ws):
        try:
            return super().fit_candidate(rows, task, ws)
        except InvalidInput as error:
            if isinstance(self.token, Secret):
                error.add_note(f"asked with {self.token.reveal()}")
            raise


@plugin(contract="1.0", kinds=("tea leaves",))
class ServesNoKind(AcmeTrainer):
    pass


MUTANTS = [
    (ServesNoKind, "it_fits", "the plugin serves no kind of task"),
    (StumblesOverAMissingTarget, "rows_that_cannot_be_learnt_are_refused",
     "no column of the target: a binary model is fitted: KeyError is raised"),
    (FitsOneClass, "rows_that_cannot_be_learnt_are_refused",
     "one class: a binary model is fitted: nothing is raised"),
    (QuotesARow, "rows_that_cannot_be_learnt_are_refused",
     "the error repeats a value of a data row"),
    (NamesNoColumn, "a_refusal_names_the_column", "does not name the missing column"),
    (StumblesOverOddTypes, "hard_columns_are_no_fault", "lists: ArrowNotImplementedError is"),
    (NeedsManyRows, "few_rows_and_many_columns_are_no_fault",
     "two rows: ZeroDivisionError is raised"),
    (PassesOverARefusal, "a_refusal_of_the_format_comes_through",
     "InvalidInput is raised where Unsupported is promised"),
    (TellsItsToken, "no_error_shows_a_secret", "an error shows the secret setting 'token'"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A trainer that refuses otherwise than promised fails that test, in words that say it."""
    catches(TrainSuite, lambda folder: mutant(), test, sentence, ws=opening)
