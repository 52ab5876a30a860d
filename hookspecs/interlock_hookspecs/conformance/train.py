"""A trainer's promises: the same model for the same rows, of the features alone, or a refusal."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Candidate,
    InvalidInput,
    Task,
    Unsupported,
    Workspace,
    score_columns,
    table_digest,
)
from interlock_hookspecs.conformance.answering import (
    answered,
    answered_or_refused,
    unless_refused,
)
from interlock_hookspecs.conformance.elsewhere import elsewhere
from interlock_hookspecs.conformance.learning import (
    hard_columns,
    hard_targets,
    hostile_rows,
    replaced,
    unlearnable,
)
from interlock_hookspecs.conformance.rows import (
    MARKER,
    kinds,
    rows_of,
    stored_otherwise,
    task_of,
)
from interlock_hookspecs.conformance.suite import Suite, another, ask, must_raise
from interlock_hookspecs.conformance.together import at_once
from interlock_hookspecs.conformance.workspace import Killed, KilledWorkspace, LocalWorkspace

if TYPE_CHECKING:
    import pyarrow as pa


def fit(plugin: Any, rows: pa.Table, task: Task, ws: Workspace) -> Candidate:
    """The candidate of some training rows."""
    made: Candidate = ask(plugin, "fit_candidate", rows=rows, task=task, ws=ws)
    return made


def digest_of(plugin: Any, rows: pa.Table, task: Task, ws: Workspace) -> str:
    """The digest of the model that is fitted to some rows, by another process for one."""
    return fit(plugin, rows, task, ws).model.digest


def fitted_or_refused(
    plugin: Any, what: str, rows: pa.Table, task: Task, ws: Workspace
) -> Candidate | None:
    """The candidate of hard rows; None where they are refused in the contract's words."""
    made = unless_refused(lambda: fit(plugin, rows, task, ws), what, InvalidInput, Unsupported)
    if made is not None:
        answered_or_refused(ws.open_model(made.model), rows, what)
    return made


class TrainSuite(Suite):
    """What core relies on in a trainer.

    The models are written in the trainer's format by the plugin that is installed for it. Where
    none is, override the fixture ``ws`` with a `LocalWorkspace` that is given its opener.
    """

    role = "train"

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Fit a candidate."""
        kind = kinds(plugin)[0]
        fit(plugin, rows_of(kind), task_of(kind), ws)

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Fit to rows without the target."""
        kind = kinds(plugin)[0]
        fit(plugin, rows_of(kind).drop_columns(["y"]), task_of(kind), ws)

    def test_it_fits(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A candidate of each kind that it serves is kept, opens, and answers every row."""
        assert kinds(plugin), "the plugin serves no kind of task that works end to end"
        for kind in kinds(plugin):
            made = fit(plugin, rows_of(kind), task_of(kind), ws)
            assert made.rows in (None, 400), f"{made.rows} rows are said, of 400"
            assert made.origin != "imported", "a model that was trained is said to be imported"
            assert made.maker is None, "a candidate says itself who made it: the stamp is core's"
            ws.end_call()
            predictor = ws.open_model(made.model)
            assert predictor.signature == made.model.signature, "the model has another signature"
            answered(predictor, rows_of(kind, seed=1))

    def test_the_signature_is_the_tasks(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Inputs are features, outputs those of the kind; id and time are taken and not scored."""
        for kind in kinds(plugin):
            rows = rows_of(kind)
            task = task_of(kind, time="größe [cm]", exclude=("phone",))
            signature = fit(plugin, rows, task, ws).model.signature
            assert signature.kind == kind, f"the signature of a {kind} model says {signature.kind}"
            types = {field.name: str(rows.schema.field(field.name).type) for field in
                     signature.inputs if field.name in rows.column_names}  # fmt: skip
            assert types, "the signature has no inputs"
            beside = {field.name for field in signature.inputs} - {"x", "city", "sex"}
            assert not beside, f"{min(beside, default='')!r} is an input, and no feature"
            said = {field.name: field.type for field in signature.inputs}
            assert said == types, "an input is of another type than its column"
            for name, field in (("id", signature.id), ("größe [cm]", signature.time)):
                assert field is not None, f"the column {name!r} is not taken beside the features"
                assert field.name == name, f"{field.name!r} is taken for {name!r}"
            names = ("prediction",) if kind == "regression" else score_columns(signature)
            found = tuple(field.name for field in signature.outputs)
            assert found == names, f"the outputs of a {kind} model are {found}, not {names}"
            target = () if kind == "regression" else tuple(sorted(set(rows["y"].to_pylist())))
            assert signature.classes == target, "the classes are not the target's values, sorted"
            positive = task.positive if kind == "binary" else None
            assert signature.positive == positive, "the score is of another class than `positive`"

    def test_the_same_rows_give_the_same_model(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Fitted again, after others, by another instance, or stored otherwise: one digest."""
        import numpy as np

        for kind in kinds(plugin):
            rows, task = rows_of(kind), task_of(kind)
            once = digest_of(plugin, rows, task, ws)
            np.random.random()  # noqa: NPY002  (what a trainer must not depend on)
            digest_of(plugin, rows_of(kind, 300, 5), task, ws)
            assert digest_of(plugin, rows, task, ws) == once, "fitted again, a model is another"
            other = digest_of(another(plugin), rows, task, ws)
            assert other == once, "fitted by another instance, a model is another"
            stored = digest_of(plugin, stored_otherwise(rows), task, ws)
            assert stored == once, "chunks or encodings of the rows make another model"

    def test_the_same_rows_give_the_same_model_in_every_process(
        self, plugin: Any, ws: LocalWorkspace
    ) -> None:
        """Two processes at once, with hash seeds of their own, fit the model fitted here."""
        kind = kinds(plugin)[0]
        rows, task = rows_of(kind), task_of(kind)
        once = digest_of(plugin, rows, task, ws)
        for other in elsewhere([(digest_of, (plugin, rows, task, ws))] * 2):
            assert other == once, "another process fits another model"

    def test_many_fit_at_once(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Fits at once, by several threads, give the models that they give one by one."""
        kind = kinds(plugin)[0]
        tables = [rows_of(kind, 200, seed) for seed in range(3)] * 2
        alone = [digest_of(plugin, rows, task_of(kind), ws) for rows in tables]
        acts = [partial(digest_of, plugin, rows, task_of(kind), ws) for rows in tables]
        assert at_once(acts) == alone, "fitted at once with others, a model is another"

    def test_the_seed_is_on_record(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A candidate that says a seed says the task's; with it, the model is the same again."""
        kind = kinds(plugin)[0]
        task = task_of(kind, seed=7)
        made, again = (fit(plugin, rows_of(kind), task, ws) for _ in range(2))
        assert made.seed in (None, 7), f"the seed was 7, and {made.seed} is on record"
        assert made.model.digest == again.model.digest, "one seed gives two models"

    def test_what_is_no_feature_makes_no_difference(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Ids, excluded columns, the threshold and the rows held out change nothing."""
        import pyarrow.parquet as pq

        kind = kinds(plugin)[0]
        rows, task = rows_of(kind), task_of(kind, exclude=("phone",))
        once = digest_of(plugin, rows, task, ws)
        source = ws.scratch() / "all.parquet"
        pq.write_table(rows_of(kind, 800, 9), source)
        alike = {
            "other ids": (replaced(rows, "id", rows["phone"]), task),
            "another excluded column": (replaced(rows, "phone", rows["id"]), task),
            "another threshold": (rows, attrs.evolve(task, threshold=0.3)),
            "another source behind the rows": (rows, attrs.evolve(task, dataset=str(source))),
        }
        for what, (table, changed) in alike.items():
            found = digest_of(plugin, table, changed, ws)
            assert found == once, f"{what}, with equal features, make another model"

    def test_a_request_needs_features_only(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Without id, target and excluded columns, in any order, a row has the same answer."""
        for kind in kinds(plugin):
            rows, fresh = rows_of(kind), rows_of(kind, 50, 1)
            task = task_of(kind, exclude=("phone",))
            predictor = ws.open_model(fit(plugin, rows, task, ws).model)
            names = task.features(rows.column_names)
            bare = answered_or_refused(predictor, fresh.select(names[::-1]), "bare features")
            assert bare is not None, "rows of the features alone are refused"
            same = bare.equals(answered(predictor, fresh))
            assert same, "columns that are no features change the answer"

    def test_rows_that_cannot_be_learnt_are_refused(self, plugin: Any, ws: LocalWorkspace) -> None:
        """No rows, no target, no features or one class are InvalidInput, in one line."""
        for kind in kinds(plugin):
            for what, (rows, task) in unlearnable(kind).items():
                with must_raise(InvalidInput, f"{what}: a {kind} model is fitted") as caught:
                    fit(plugin, rows, task, ws)
                text = str(caught.value)
                assert MARKER not in text, f"{what}: the error repeats a value of a data row"
                assert "\n" not in text.strip(), f"{what}: the error is many lines"

    def test_a_refusal_names_the_column(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Where a column of the task is missing, the error names it."""
        kind = kinds(plugin)[0]
        with must_raise(InvalidInput, "the target is missing") as caught:
            fit(plugin, rows_of(kind), task_of(kind, target="größe [m]"), ws)
        assert "größe [m]" in str(caught.value), "the error does not name the missing column"

    def test_hard_columns_are_no_fault(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Lists, times, infinities, nulls and constants are fitted, or refused as InvalidInput."""
        kind = kinds(plugin)[0]
        for what, rows in hard_columns(kind).items():
            fitted_or_refused(plugin, what, rows, task_of(kind, exclude=("phone",)), ws)

    def test_hard_targets_are_no_fault(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Truth values, texts and hostile class names are fitted and kept apart, or refused."""
        for kind in kinds(plugin):
            for what, (rows, task) in hard_targets(kind).items():
                made = fitted_or_refused(plugin, what, rows, task, ws)
                if made is not None and kind != "regression":
                    signature = made.model.signature
                    seen = tuple(sorted({label for label in rows["y"].to_pylist()
                                         if label is not None}))  # fmt: skip
                    assert signature.classes == seen, f"{what}: the classes are others"
                    names = tuple(field.name for field in signature.outputs)
                    assert names == score_columns(signature), f"{what}: an output is misnamed"

    def test_any_name_is_a_column(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Columns whose names differ in case, accents or spaces are different features."""
        kind = kinds(plugin)[0]
        rows, names = hostile_rows(kind)
        made = fit(plugin, rows, task_of(kind), ws)
        found = {field.name for field in made.model.signature.inputs}
        assert found <= names, "an input has a name that no column has"
        answered(ws.open_model(made.model), rows, "hostile names")

    def test_few_rows_and_many_columns_are_no_fault(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Two rows, ten thousand rows, or three hundred columns are fitted, or refused."""
        import pyarrow as pa

        for kind in kinds(plugin):
            two = rows_of(kind).sort_by("y").take([0, 399])
            fitted_or_refused(plugin, "two rows", two, task_of(kind), ws)
        kind = kinds(plugin)[0]
        rows = rows_of(kind, 60)
        wide = {f"x{place}": rows["x"] for place in range(300)}
        fitted_or_refused(plugin, "wide rows", pa.table({**wide, "y": rows["y"]}),
                          task_of(kind, id=None), ws)  # fmt: skip
        fit(plugin, rows_of(kind, 10_000), task_of(kind, exclude=("phone",)), ws)

    def test_unseen_values_are_answered(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Unseen categories, nulls and no rows at all are answered, or refused as InvalidInput."""
        import pyarrow as pa

        for kind in kinds(plugin):
            fresh = rows_of(kind, 20, 1)
            made = fit(plugin, rows_of(kind), task_of(kind, exclude=("phone",)), ws)
            predictor = ws.open_model(made.model)
            answered(predictor, fresh.slice(0, 0), "no rows")
            unseen = replaced(fresh, "city", pa.array(["Zürich ✓"] * 20))
            answered(predictor, unseen, "an unseen category")
            empty = replaced(fresh, "x", pa.nulls(20, pa.float64()))
            answered_or_refused(predictor, empty, "a column of nulls")

    def test_scores_are_numbers(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A score has a name of its own and a finite value for each fold."""
        for kind in kinds(plugin):
            scores = fit(plugin, rows_of(kind), task_of(kind), ws).scores
            names = [score.name for score in scores]
            assert len(names) == len(set(names)), "two scores have one name"
            for score in scores:
                assert score.folds, f"the score {score.name} has no folds"
                sound = all(value - value == 0 for value in score.folds)
                assert sound, f"the score {score.name} is no finite number"

    def test_rows_and_folders_are_left_alone(self, plugin: Any, ws: LocalWorkspace) -> None:
        """A fit changes no value of the rows, and writes nothing but through the workspace."""
        kind = kinds(plugin)[0]
        rows = rows_of(kind)
        before, folder = table_digest(rows), ws.scratch()
        with contextlib.chdir(folder):
            fit(plugin, rows, task_of(kind), ws)
        assert table_digest(rows) == before, "a fit changes the rows that it was given"
        left = sorted(path.name for path in Path(folder).iterdir())
        assert not left, f"a fit leaves {left[0]} in the current folder"

    def test_an_interrupted_fit_leaves_nothing(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Killed half-way, a fit leaves nothing behind that the next one would take up."""
        kind = kinds(plugin)[0]
        rows, task = rows_of(kind), task_of(kind)
        once = digest_of(another(plugin), rows_of(kind, seed=3), task, ws)
        for at in ("progress", "write_model"):
            cut = KilledWorkspace(ws.scratch(), at=at, openers=ws.openers)
            with contextlib.suppress(Killed):
                fit(plugin, rows, task, cut)
                assert at != "write_model", "a fit goes on after it was killed"
        again = digest_of(plugin, rows_of(kind, seed=3), task, ws)
        assert again == once, "after an interrupted fit, a model is another"

    def test_a_refusal_of_the_format_comes_through(self, plugin: Any, ws: LocalWorkspace) -> None:
        """What the model's format refuses is raised as it came: Unsupported stays Unsupported."""
        kind = kinds(plugin)[0]

        class Refuses(LocalWorkspace):
            def write_model(self, *_: Any, **__: Any) -> Any:
                raise Unsupported("the format does not hold this model")

        with must_raise(Unsupported, "a model that its format refuses is passed over"):
            fit(plugin, rows_of(kind), task_of(kind), Refuses(ws.scratch(), openers=ws.openers))
