"""The data suite catches every reader that breaks a promise, and says which."""

import itertools
import time
import unicodedata
import warnings
from pathlib import Path

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from wrong_plugins import catches, each, unclaimed

from interlock_data_acme import AcmeData, columns_of, tables_of
from interlock_hookspecs import (
    Facts,
    Maker,
    bytes_digest,
    hookimpl,
    plugin,
    table_digest,
)
from interlock_hookspecs.conformance.data import DataSuite


def rewritten(done, ws, change, metadata=None):
    """A snapshot whose rows are changed, and whose record agrees with them."""
    rows = change(pq.read_table(ws.locate(done.artifact)))
    path = ws.scratch() / "rows.parquet"
    pq.write_table(rows.replace_schema_metadata(metadata), path)
    return attrs.evolve(done, digest=table_digest(rows), rows=rows.num_rows, artifact=ws.keep(path))


def column(rows, name, change):
    """The rows with one column changed, where it is there."""
    place = rows.schema.get_field_index(name)
    return rows if place < 0 else rows.set_column(place, name, change(rows[name]))


class Loads(AcmeData):
    """A mutant that changes what it describes."""

    @hookimpl
    def load_dataset(self, source, task):
        found = super().load_dataset(source, task)
        return found and self.change(found)


class Fixes(AcmeData):
    """A mutant that changes what it fixes."""

    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        done = super().snapshot_dataset(dataset, ws)
        return done and self.change(done, ws)


class FixesWhileItDescribes(Loads):
    def change(self, found):
        return attrs.evolve(found, digest=bytes_digest(b"rows"))


class StampsItself(Loads):
    def change(self, found):
        return attrs.evolve(found, maker=Maker(plugin="data-acme", version="9"))


class SortsTheColumns(Loads):
    def change(self, found):
        return attrs.evolve(found, fields=sorted(found.fields, key=lambda one: one.name))


class RenamesTheSource(Loads):
    def change(self, found):
        return attrs.evolve(found, source=Path(found.source).name)


class SortsTheRows(Fixes):
    def change(self, done, ws):
        return rewritten(done, ws, lambda rows: rows.sort_by(rows.column_names[0]))


class TakesTheDigestOfTheFile(Fixes):
    def change(self, done, ws):
        return attrs.evolve(done, digest=done.artifact.digest)


class CountsTheHeader(Fixes):
    def change(self, done, ws):
        return attrs.evolve(done, rows=done.rows + 1)


class ForgetsWhereNullsWere(Fixes):
    def change(self, done, ws):
        fields = [attrs.evolve(field, nullable=True) for field in done.fields]
        return attrs.evolve(done, fields=fields)


class TakesEmptyTextForNull(Fixes):
    def change(self, done, ws):
        def emptied(texts):
            return pc.if_else(pc.equal(texts, ""), None, texts)

        return rewritten(done, ws, lambda rows: column(rows, "text", emptied))


class StripsNames(Fixes):
    def change(self, done, ws):
        names = [field.name.strip() for field in done.fields]
        return rewritten(done, ws, lambda rows: rows.rename_columns(names))


class NormalizesTexts(Fixes):
    def change(self, done, ws):
        def composed(texts):
            return pa.array([unicodedata.normalize("NFC", text) for text in texts.to_pylist()])

        return rewritten(done, ws, lambda rows: column(rows, "text", composed))


class ReadsWholeNumbersAsReal(Fixes):
    def change(self, done, ws):
        def rounded(numbers):
            return numbers.cast(pa.float64(), safe=False).cast(pa.int64(), safe=False)

        return rewritten(done, ws, lambda rows: column(rows, "whole", rounded))


class CutsMicroseconds(Fixes):
    def change(self, done, ws):
        def cut(times):
            return times.cast(pa.timestamp("ms", "UTC"), safe=False).cast(times.type)

        return rewritten(done, ws, lambda rows: column(rows, "at", cut))


class StampsTheArtifact(Fixes):
    ticks = itertools.count()

    def change(self, done, ws):
        return rewritten(done, ws, lambda rows: rows, {"made": str(next(self.ticks))})


class DependsOnTheHashSeed(Fixes):
    def change(self, done, ws):
        return rewritten(done, ws, lambda rows: rows, {"made": str(hash("acme"))})


class CountsItsCalls(Fixes):
    ticks = itertools.count()

    def change(self, done, ws):
        return attrs.evolve(done, facts={**done.facts, "call": next(self.ticks)})


class SaysAnotherSize(Fixes):
    def change(self, done, ws):
        return attrs.evolve(done, files=[attrs.evolve(one, size=0) for one in done.files])


class DropsEqualRows(Fixes):
    def change(self, done, ws):
        def distinct(rows):
            return rows.group_by(rows.column_names, use_threads=False).aggregate([])

        flagged = any(field.name == "flag" for field in done.fields)
        return rewritten(done, ws, distinct) if flagged else done


@plugin(contract="1.0")
class RemembersTheLatest(AcmeData):
    latest: object = attrs.field(init=False, default=None)

    @hookimpl
    def load_dataset(self, source, task):
        self.latest = super().load_dataset(source, task)
        time.sleep(0.05)
        return self.latest

    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        return super().snapshot_dataset(self.latest, ws)


class LeavesAHalfBehind(AcmeData):
    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        path = Path(dataset.source)
        half = path.with_suffix(".half.parquet")
        if not half.exists():
            columns = columns_of(path, Facts())
            rows = pa.concat_tables(tables_of(path, columns))
            pq.write_table(rows.slice(0, 10), half)
        ws.progress("the first half is read")
        done = super().snapshot_dataset(dataset, ws)
        if pq.read_metadata(half).num_rows == 10:
            return rewritten(done, ws, lambda rows: rows.slice(0, 10))
        return done


class LeavesALock(AcmeData):
    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        Path(dataset.source).with_suffix(".lock").touch()
        return super().snapshot_dataset(dataset, ws)


class ReadsAllRowsAtOnce(AcmeData):
    @hookimpl
    def snapshot_dataset(self, dataset, ws):
        path = Path(dataset.source)
        kept = list(tables_of(path, columns_of(path, Facts())))
        assert kept
        return super().snapshot_dataset(dataset, ws)


class SeedsNumpy(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        np.random.seed(0)  # noqa: NPY002  (what is wrong with it)
        return super().load_dataset(source, task)


class SilencesWarnings(AcmeData):
    @hookimpl
    def load_dataset(self, source, task):
        warnings.simplefilter("ignore", next(categories))
        return super().load_dataset(source, task)


categories = itertools.cycle([UserWarning, FutureWarning, ImportWarning])


MUTANTS = [
    (FixesWhileItDescribes, "a_source_is_described", "a description has a digest"),
    (StampsItself, "a_source_is_described", "a dataset says itself who made it"),
    (SortsTheColumns, "a_source_is_described", "columns, their order or types are others"),
    (RenamesTheSource, "a_source_is_described", "is not called what the task calls it"),
    (SortsTheRows, "hard_rows_are_fixed_as_they_are", "is another in the artifact"),
    (TakesTheDigestOfTheFile, "rows_are_fixed_as_they_are", "the digest is not that of the rows"),
    (CountsTheHeader, "rows_are_fixed_as_they_are", "41 rows are said, of 40"),
    (ForgetsWhereNullsWere, "rows_are_fixed_as_they_are", "the fields are not those of the rows"),
    (SaysAnotherSize, "rows_are_fixed_as_they_are", "has another size or digest than is said"),
    (CutsMicroseconds, "rows_are_fixed_as_they_are", "the column 'at' is another"),
    (TakesEmptyTextForNull, "hard_rows_are_fixed_as_they_are",
     "hostile texts: the column 'text' is another"),
    (NormalizesTexts, "hard_rows_are_fixed_as_they_are",
     "hostile texts: the column 'text' is another"),
    (StripsNames, "hard_rows_are_fixed_as_they_are", "hostile names: the columns are others"),
    (ReadsWholeNumbersAsReal, "hard_rows_are_fixed_as_they_are",
     "extreme numbers: the column 'whole' is another"),
    (DropsEqualRows, "hard_rows_are_fixed_as_they_are", "equal rows"),
    (StampsTheArtifact, "how_rows_are_stored_makes_no_difference",
     "equal rows are another artifact"),
    (CountsItsCalls, "a_snapshot_taken_again_is_the_same", "a dataset is another record"),
    (DependsOnTheHashSeed, "a_snapshot_is_the_same_in_every_process",
     "in another process, the rows have other digests"),
    (RemembersTheLatest, "many_read_at_once", "read at once, a source has another's rows"),
    (LeavesAHalfBehind, "an_interrupted_snapshot_leaves_nothing",
     "after an interruption, the rows are others"),
    (LeavesALock, "an_interrupted_snapshot_leaves_nothing",
     "reading leaves something beside the source"),
    (ReadsAllRowsAtOnce, "rows_pass_through_in_batches", "MB of rows more take"),
    (SeedsNumpy, "it_leaves_the_process_as_it_was", "the random numbers of numpy"),
    (SilencesWarnings, "it_leaves_the_process_as_it_was", "the warning filters"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence):
    """A reader with one broken promise fails that promise's test, in words that say it."""
    catches(DataSuite, lambda folder: mutant(), test, sentence)


def test_the_reader_that_the_mutants_are_made_of_keeps_every_promise():
    """Without a mutation every promise is held."""
    assert unclaimed(DataSuite, lambda folder: AcmeData()) == []


def test_a_reader_of_no_file_is_told_to_say_where_rows_go():
    """A plugin that reads none of the suite's files breaks nothing silently."""
    catches(
        DataSuite,
        lambda folder: AcmeData(ending=".acme"),
        "a_source_is_described",
        "override `put`",
    )
