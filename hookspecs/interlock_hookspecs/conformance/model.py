"""A model format's promises: equal bytes for equal state, and a file that decides nothing."""

from __future__ import annotations

import math
import pickle
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from interlock_hookspecs import (
    InvalidInput,
    Model,
    NotFound,
    Predictor,
    Signature,
    Unsupported,
    Workspace,
    table_digest,
)
from interlock_hookspecs.conformance.answering import (
    answered,
    answered_or_refused,
    same_answers,
    stretched,
)
from interlock_hookspecs.conformance.elsewhere import elsewhere
from interlock_hookspecs.conformance.formats import (
    flipped,
    handed,
    largest,
    malformed,
    payloads,
    rewritten,
    unwritable,
    word_of,
)
from interlock_hookspecs.conformance.learning import replaced
from interlock_hookspecs.conformance.rows import KINDS, MARKER
from interlock_hookspecs.conformance.suite import Suite, another, ask, must_raise, needs
from interlock_hookspecs.conformance.together import at_once
from interlock_hookspecs.conformance.workspace import Killed, KilledWorkspace, LocalWorkspace

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[\w,.-]+\])?\s*([=<>!~]=?=?.*)?")


def write(plugin: Any, word: str, pair: tuple[Any, Signature], ws: Workspace) -> Model:
    """A fitted object in the plugin's format."""
    fitted, signature = pair
    made: Model = ask(plugin, "write_model", format=word, fitted=fitted, signature=signature, ws=ws)
    return made


def opened(plugin: Any, model: Model, ws: Workspace) -> Predictor:
    """The predictor of a model."""
    predictor: Predictor = ask(plugin, "open_model", model=model, ws=ws)
    return predictor


def written_anew(suite: type[ModelSuite], plugin: Any, kind: str, ws: Workspace) -> str:
    """The digest of a model that this process fits and writes."""
    made = suite()
    return write(plugin, made.word(plugin), made.pair(plugin, kind), ws).digest


class ModelSuite(Suite):
    """What core relies on in a model format. ``package_model`` is optional.

    The suite writes what an installed trainer hands to the format. Where none does, override
    `fitted`.

    Attributes:
        format: the plugin's word; empty for the one that it is installed under.
    """

    role = "model"
    format: ClassVar[str] = ""

    def fitted(self, plugin: Any, kind: str, seed: int) -> tuple[Any, Signature] | None:
        """An object that the format writes, with its signature; None for a kind it is not for.

        Args:
            plugin: which writes it.
            kind: ``binary``, ``multiclass`` or ``regression``.
            seed: a new object each time, of equal state for one seed; of another seed, an object
                that answers otherwise. Inputs are numbers, Booleans and strings.
        """
        with tempfile.TemporaryDirectory() as folder:
            return handed(self.word(plugin), kind, seed, Path(folder))

    def word(self, plugin: Any) -> str:
        """The word of the format."""
        return self.format or word_of(plugin) or "conformance"

    def pair(self, plugin: Any, kind: str, seed: int = 0) -> tuple[Any, Signature]:
        """A fitted object of a kind that the format is for."""
        found = self.fitted(plugin, kind, seed)
        assert found is not None, f"no {kind} model to write"
        return found

    def kinds(self, plugin: Any) -> tuple[str, ...]:
        """The kinds of models that there are to write."""
        found = tuple(kind for kind in KINDS if self.fitted(plugin, kind, 0) is not None)
        assert found, "no installed trainer writes the format: override `fitted`, and give a model"
        return found

    def one(self, plugin: Any, ws: Workspace, *, seed: int = 0) -> Model:
        """A model of the first kind."""
        return write(plugin, self.word(plugin), self.pair(plugin, self.kinds(plugin)[0], seed), ws)

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Write a model of each kind, open it and let it answer."""
        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            with_model = opened(plugin, write(plugin, self.word(plugin), pair, ws), ws)
            answered(with_model, stretched(pair[1]))

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Open a file that is no model."""
        opened(plugin, rewritten(self.one(plugin, ws), ws, b"no model"), ws)

    def test_a_model_opens(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A model of each kind is kept under its signature, and answers for another process."""
        for kind in self.kinds(plugin):
            pair, word = self.pair(plugin, kind), self.word(plugin)
            made = write(plugin, word, pair, ws)
            assert made.format == word, f"a model of {word} says that it is {made.format}"
            assert made.signature == pair[1], "the signature changes when a model is written"
            for text in made.requirements:
                sound = _REQUIREMENT.fullmatch(text)
                assert sound, f"the requirement {text!r} is none of pip's by name"
            ws.end_call()
            predictor = opened(another(plugin), made, ws)
            ws.end_call()
            assert predictor.signature == pair[1], "an opened model has another signature"
            answered(predictor, stretched(pair[1]))

    def test_equal_states_are_equal_bytes(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Written again, fitted anew, or by another instance, the digest is the same."""
        for kind in self.kinds(plugin):
            pair, word = self.pair(plugin, kind), self.word(plugin)
            once = write(plugin, word, pair, ws)
            assert write(plugin, word, pair, ws) == once, "written again, a model is another record"
            anew = write(plugin, word, self.pair(plugin, kind), ws)
            assert anew.digest == once.digest, "an object of equal state has other bytes"
            elsewhere_kept = LocalWorkspace(ws.scratch())
            other = write(another(plugin), word, pair, elsewhere_kept)
            assert other.digest == once.digest, "written by another instance, the bytes are others"

    def test_equal_states_are_equal_bytes_in_every_process(
        self, plugin: Any, ws: LocalWorkspace
    ) -> None:
        """Two processes at once, with hash seeds of their own, write the bytes written here."""
        kind = self.kinds(plugin)[0]
        once = write(plugin, self.word(plugin), self.pair(plugin, kind), ws).digest
        for other in elsewhere([(written_anew, (type(self), plugin, kind, ws))] * 2):
            assert other == once, "another process writes other bytes of an equal state"

    def test_another_state_is_other_bytes(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Two models that answer otherwise have two digests, and each answers as itself."""
        for kind in self.kinds(plugin):
            word, pairs = self.word(plugin), [self.pair(plugin, kind, seed) for seed in (0, 1)]
            one, two = (write(plugin, word, pair, ws) for pair in pairs)
            assert one.digest != two.digest, "two models have one digest"
            rows = stretched(pairs[0][1])
            first, second, again = (
                answered(opened(plugin, model, ws), rows) for model in (one, two, one)
            )
            assert not same_answers(first, second), "two models give the answers of one"
            assert same_answers(first, again), "opened again, a model answers otherwise"

    def test_writing_changes_nothing(self, plugin: Any, ws: LocalWorkspace) -> None:
        """The object is after it was written what it was before."""
        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            try:
                before = pickle.dumps(pair[0])
            except Exception as error:  # noqa: BLE001  (whatever an object refuses pickling by)
                pytest.skip(f"optional: the object cannot be pickled to be compared: {error}")
            write(plugin, self.word(plugin), pair, ws)
            assert pickle.dumps(pair[0]) == before, "writing a model changes the fitted object"

    def test_a_row_has_its_own_answer(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Alone, among others, in chunks or another order of columns, a row is answered alike."""
        import pyarrow as pa

        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            predictor = opened(plugin, write(plugin, self.word(plugin), pair, ws), ws)
            rows = stretched(pair[1], 40)
            whole = answered(predictor, rows)
            alone = [answered(predictor, rows.slice(place, 1)) for place in range(rows.num_rows)]
            same = same_answers(pa.concat_tables(alone), whole, close=True)
            assert same, "a row alone is answered otherwise than among others"
            backwards = answered(predictor, rows.take(list(range(40))[::-1]))
            same = same_answers(backwards.take(list(range(40))[::-1]), whole, close=True)
            assert same, "the answers are not in the order of the rows"
            parts = pa.concat_tables([rows.slice(0, 7), rows.slice(7)])
            parts = parts.select(parts.column_names[::-1]).append_column("beside", [rows[0]])
            same = same_answers(answered(predictor, parts), whole, close=True)
            assert same, "chunks, the order of columns or a column beside change an answer"

    def test_any_number_of_rows_is_answered(self, plugin: Any, ws: LocalWorkspace) -> None:
        """No row has no answer; a hundred thousand have as many, and the rows stay as they are."""
        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            predictor = opened(plugin, write(plugin, self.word(plugin), pair, ws), ws)
            many = stretched(pair[1], 100_000)
            before = table_digest(many)
            answered(predictor, many, "a hundred thousand rows")
            assert table_digest(many) == before, "a prediction changes the rows"
            answered(predictor, many.slice(0, 0), "no rows")

    def test_a_column_that_does_not_fit_is_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A missing column, and text for a number, are InvalidInput that names the column."""
        import pyarrow as pa

        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            predictor = opened(plugin, write(plugin, self.word(plugin), pair, ws), ws)
            rows = stretched(pair[1])
            for field in pair[1].inputs:
                with must_raise(InvalidInput, f"the missing {field.name!r} is passed over") as one:
                    predictor.predict(rows.drop_columns([field.name]))
                assert field.name in str(one.value), "the error does not name the missing column"
                if field.type != "string":
                    texts = replaced(rows, field.name, pa.array([MARKER] * rows.num_rows))
                    with must_raise(InvalidInput, f"text is read as {field.type}") as one:
                        predictor.predict(texts)
                    assert MARKER not in str(one.value), "the error repeats a value of a data row"

    def test_hard_values_are_no_fault(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Nulls, infinities and huge numbers are answered, or refused as InvalidInput."""
        import pyarrow as pa

        values = {"null": None, "infinity": math.inf, "no number": math.nan, "a huge number": 1e308}
        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            predictor = opened(plugin, write(plugin, self.word(plugin), pair, ws), ws)
            rows = stretched(pair[1], 10)
            for field in pair[1].inputs:
                for what, value in values.items():
                    if value is None or field.type == "double":
                        column = pa.array([value] * 10, rows.schema.field(field.name).type)
                        hard = replaced(rows, field.name, column)
                        answered_or_refused(predictor, hard, f"{what} in {field.name!r}")

    def test_many_ask_at_once(self, plugin: Any, ws: LocalWorkspace) -> None:
        """One predictor, asked by several threads at once, gives each the answers to its rows."""
        for kind in self.kinds(plugin):
            pair = self.pair(plugin, kind)
            predictor = opened(plugin, write(plugin, self.word(plugin), pair, ws), ws)
            tables = [stretched(pair[1], 50 + seed, seed) for seed in range(8)] * 4
            alone = [predictor.predict(rows) for rows in tables]
            together = at_once([partial(predictor.predict, rows) for rows in tables])
            for one, two in zip(alone, together, strict=True):
                sound = one.num_rows == two.num_rows and same_answers(one, two, close=True)
                assert sound, "asked at once with others, a thread has the answers of another"

    def test_many_write_and_open_at_once(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Models that are written and opened at once, by several threads, stay apart."""
        kind, word = self.kinds(plugin)[0], self.word(plugin)
        pairs = [self.pair(plugin, kind, seed) for seed in range(3)] * 2
        alone = [write(plugin, word, pair, ws) for pair in pairs]
        rows = stretched(pairs[0][1])
        answers = [answered(opened(plugin, model, ws), rows) for model in alone]
        made = at_once([partial(write, plugin, word, pair, ws) for pair in pairs])
        assert made == alone, "written at once with others, a model has other bytes"
        predictors = at_once([partial(opened, plugin, model, ws) for model in made])
        for predictor, expected in zip(predictors, answers, strict=True):
            same = same_answers(answered(predictor, rows), expected, close=True)
            assert same, "opened at once with others, a model answers for another"

    def test_altered_bytes_are_not_opened(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Bytes that are not those of the digest are InvalidInput, and missing ones NotFound."""
        made = self.one(plugin, ws)
        opened(plugin, made, ws)
        kept = ws.locate(made.artifact)
        file = largest(kept)
        whole = file.read_bytes()
        altered = {
            "cut": whole[:-1],
            "longer": whole + b"\0",
            "with a bit turned": next(flipped(whole, 1)),
        }
        for what, data in altered.items():
            file.write_bytes(data)
            with must_raise(InvalidInput, f"a file that is {what} is opened under its digest"):
                opened(plugin, made, ws)
        shutil.rmtree(kept) if kept.is_dir() else kept.unlink()
        with must_raise(NotFound, "a model that is not kept is opened"):
            opened(plugin, made, ws)

    def test_a_malformed_file_is_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Cut, empty, random and foreign files, under digests of their own, are InvalidInput."""
        made = self.one(plugin, ws)
        whole = largest(ws.locate(made.artifact)).read_bytes()
        for what, data in malformed(whole):
            spoilt = rewritten(made, ws, data)
            with must_raise(InvalidInput, f"{what}: it is opened") as caught:
                opened(plugin, spoilt, ws)
            assert "\n" not in str(caught.value).strip(), f"{what}: the error is many lines"
        for data in flipped(whole, 40):
            spoilt = rewritten(made, ws, data)
            try:
                opened(plugin, spoilt, ws)
            except InvalidInput:
                continue
            except Exception as error:
                msg = f"a turned bit: {type(error).__name__} is raised, not InvalidInput"
                raise AssertionError(msg) from error

    def test_a_file_decides_on_no_code(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A pickle, and other files that name code to run, are InvalidInput and run nothing."""
        made = self.one(plugin, ws)
        mark = ws.scratch() / "ran"
        whole = largest(ws.locate(made.artifact)).read_bytes()
        for what, data in payloads(whole, mark):
            spoilt = rewritten(made, ws, data)
            with must_raise(InvalidInput, f"{what}: it is opened"):
                opened(plugin, spoilt, ws)
            assert not mark.exists(), f"{what}: opening it ran the code that it names"

    def test_what_cannot_be_written_is_unsupported(self, plugin: Any, ws: LocalWorkspace) -> None:
        """An object that is no model of the format is Unsupported, and nothing is kept."""
        signature, word = self.pair(plugin, self.kinds(plugin)[0])[1], self.word(plugin)
        for what, value in unwritable().items():
            kept = KilledWorkspace(ws.scratch(), at="keep")
            try:
                with must_raise(Unsupported, f"{what}: it is written as a model"):
                    write(plugin, word, (value, signature), kept)
            except Killed:
                raise AssertionError(f"{what}: it is kept") from None

    def test_an_interrupted_write_leaves_nothing(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Killed half-way, a write leaves nothing that the next one would take up."""
        kind, word = self.kinds(plugin)[0], self.word(plugin)
        once = write(plugin, word, self.pair(plugin, kind, 1), ws)
        with pytest.raises(Killed):
            write(plugin, word, self.pair(plugin, kind), KilledWorkspace(ws.scratch(), at="keep"))
        again = write(plugin, word, self.pair(plugin, kind, 1), ws)
        assert again == once, "after an interrupted write, a model is another"

    def test_a_model_is_packaged(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A model converts to the format with its signature and answers, or is Unsupported."""
        needs(plugin, "package_model")
        made, word = self.one(plugin, ws), self.word(plugin)
        ws.openers[word] = plugin
        try:
            packaged = ask(plugin, "package_model", format=word, model=made, rows=None, ws=ws)
        except Unsupported:
            return
        assert packaged.format == word, f"a model packaged as {word} says {packaged.format}"
        assert packaged.signature == made.signature, "a packaged model has another signature"
        rows = stretched(made.signature)
        answers = [answered(opened(plugin, model, ws), rows) for model in (made, packaged)]
        assert same_answers(*answers, close=True), "a packaged model answers otherwise"
