"""The data suite catches every reader that stumbles where it should refuse."""

from pathlib import Path

import attrs
from wrong_plugins import catches, each

from interlock_data_acme import AcmeData
from interlock_hookspecs import (
    InvalidInput,
    NotFound,
    Secret,
    file_digest,
    hookimpl,
    plugin,
    setting,
)
from interlock_hookspecs.conformance.data import DataSuite


class AnswersForEveryone(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        if not source.endswith(self.ending):
            raise NotFound(f"there is no file {source}")
        return super().load_dataset(source, task)


class FixesAnothersDataset(AcmeData):
    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        return super().snapshot_dataset(attrs.evolve(dataset, format="acme-jsonl"), ws)


class RaisesItsLibrarysError(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        if source.endswith(self.ending):
            Path(source).read_bytes()
        return super().load_dataset(source, task)


class NoticesNoChange(AcmeData):
    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        (file,) = dataset.files
        now = attrs.evolve(file, digest=file_digest(Path(dataset.source)))
        return super().snapshot_dataset(attrs.evolve(dataset, files=(now,)), ws)


class FindsNoRowsMissing(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        if source.endswith(self.ending) and Path(source).stat().st_size == 0:
            raise NotFound(f"there is nothing in {source}")
        return super().load_dataset(source, task)


class QuotesTheFile(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        try:
            return super().load_dataset(source, task)
        except InvalidInput as error:
            text = Path(source).read_text(encoding="utf-8", errors="replace")
            raise InvalidInput(f"{error}: {text}") from error


class IgnoresTheTypes(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        kept = {name: kind for name, kind in task.types.items() if name != "y"}
        return super().load_dataset(source, attrs.evolve(task, types=kept))


class GuessesAZone(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        kinds = {name: kind.replace("[us]", "[us, tz=UTC]") for name, kind in task.types.items()}
        return super().load_dataset(source, attrs.evolve(task, types=kinds))


class TakesANaiveTime(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        return super().load_dataset(source, attrs.evolve(task, time=None))


class NeedsEveryColumn(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        found = super().load_dataset(source, task)
        names = {field.name for field in found.fields} if found else set()
        missing = {task.time, *task.sensitive} - {None, *names}
        if found and missing:
            raise InvalidInput(f"there is no column {min(missing)}")
        return found


@plugin(contract="1.0")
class TellsItsToken(AcmeData):
    token: str | Secret[str] = setting("", doc="a secret")

    @hookimpl
    def load_dataset(self, source, task):
        try:
            return super().load_dataset(source, task)
        except NotFound as error:
            token = self.token.reveal() if isinstance(self.token, Secret) else self.token
            raise NotFound(f"{source}?token={token}") from error


MUTANTS = [
    (AnswersForEveryone, "anothers_source_is_left_alone", "is another's, and NotFound is raised"),
    (FixesAnothersDataset, "anothers_dataset_is_left_alone",
     "a dataset of another plugin's format is fixed"),
    (RaisesItsLibrarysError, "a_missing_source_is_not_found",
     "FileNotFoundError is raised where NotFound is promised"),
    (NoticesNoChange, "a_source_that_changed_is_refused",
     "a source with a row less is fixed as it was described"),
    (FindsNoRowsMissing, "no_rows_are_refused", "NotFound is raised where InvalidInput"),
    (QuotesTheFile, "damaged_rows_are_refused", "the error repeats what the file says"),
    (IgnoresTheTypes, "a_type_of_the_task_holds",
     "a column that the task says is 'double' is read as int64"),
    (GuessesAZone, "a_time_without_a_zone_is_refused", "a naive time was given a zone"),
    (TakesANaiveTime, "a_time_without_a_zone_is_refused",
     "a time column has no zone: nothing is raised where InvalidInput is promised"),
    (NeedsEveryColumn, "a_column_of_the_task_may_be_missing", "InvalidInput: there is no column"),
    (TellsItsToken, "no_error_shows_a_secret", "an error shows the secret setting 'token'"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A reader that refuses otherwise than promised fails that test, in words that say it."""
    catches(DataSuite, lambda folder: mutant(), test, sentence)
