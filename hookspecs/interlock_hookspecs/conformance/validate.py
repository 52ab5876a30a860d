"""A validator's promises: equal rows give equal checks, each of them sound, whatever comes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from interlock_hookspecs.conformance.hard_rows import HardRowsPromises
from interlock_hookspecs.conformance.measuring import answered, apart, measured, undeclared
from interlock_hookspecs.conformance.rows import (
    MARKER,
    Answers,
    kinds,
    rows_of,
    stored_otherwise,
    task_of,
)
from interlock_hookspecs.conformance.suite import another, has
from interlock_hookspecs.conformance.together import at_once
from interlock_hookspecs.conformance.workspace import LocalWorkspace


class ValidateSuite(HardRowsPromises):
    """What core relies on in a validator: in either of ``check_data`` and ``check_model``."""

    role = "validate"

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (a validator has none)
        """Measure a candidate of each kind."""
        for kind in kinds(plugin):
            measured(plugin, task_of(kind))

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:  # noqa: ARG002  (likewise)
        """Measure rows without a target."""
        rows = rows_of(kinds(plugin)[0]).drop_columns(["y"])
        measured(plugin, task_of(kinds(plugin)[0]), rows, rows)

    def test_it_measures(self, plugin: Any) -> None:
        """For each kind of task that it serves, a sound dataset and candidate give a check."""
        assert kinds(plugin), "the plugin serves no kind of task that works end to end"
        for kind in kinds(plugin):
            found = measured(plugin, task_of(kind), champion=Answers(kind, sign=0.5))
            assert found, f"nothing is measured of a {kind} task"
            values = [check for check in found if check.value is not None]
            assert values, f"no check of a sound {kind} candidate has a value"

    def test_a_check_can_be_named(self, plugin: Any) -> None:
        """Each check has a label of its own, by which a bound can name it."""
        for kind in kinds(plugin):
            labels = [check.label for check in measured(plugin, task_of(kind))]
            twice = {label for label in labels if labels.count(label) > 1}
            assert not twice, f"two checks are called {min(twice)}: a bound cannot tell them apart"
            for check in measured(plugin, task_of(kind)):
                sound = check.name == check.name.strip() and not set(check.name) & set("[]\n")
                assert sound, f"a check is called {check.name!r}: a bound cannot name it"
            found = measured(plugin, task_of(kind), champion=Answers(kind, sign=0.5))
            wrong = undeclared(plugin, kind, (check.name for check in found))
            assert not wrong, f"{wrong} is not in its measures: a bound on it is refused"

    def test_an_interval_is_one(self, plugin: Any) -> None:
        """An interval has both ends in order, and a coverage between 0 and 1."""
        for kind in kinds(plugin):
            for check in measured(plugin, task_of(kind)):
                both = (check.low is None) == (check.high is None)
                assert both, f"{check.label} has one end of an interval"
                if check.low is not None and check.high is not None:
                    assert check.low <= check.high, f"{check.label} has its interval upside down"
                    assert 0 < check.level < 1, f"{check.label} covers {check.level} of cases"

    def test_it_counts_rows_that_there_are(self, plugin: Any) -> None:
        """A check rests on no more rows than it was given."""
        for kind in kinds(plugin):
            for check in measured(plugin, task_of(kind)):
                if check.n is not None:
                    assert check.n <= 800, f"{check.label} rests on {check.n} rows of 800"

    def test_the_same_rows_give_the_same_checks(self, plugin: Any) -> None:
        """Asked again, also after other rows or by another process, the answer is the same."""
        for kind in kinds(plugin):
            once = measured(plugin, task_of(kind))
            measured(plugin, task_of(kind), rows_of(kind, 100, 7), rows_of(kind, 100, 8))
            again = measured(plugin, task_of(kind))
            assert again == once, apart(once, again, "asked again, the same rows")
            other = measured(another(plugin), task_of(kind))
            assert other == once, apart(once, other, "by another instance, the same rows")

    def test_many_measure_at_once(self, plugin: Any) -> None:
        """Several threads that measure at once have each the checks of its own rows."""
        kind = kinds(plugin)[0]
        tables = [rows_of(kind, 200 + seed, seed) for seed in range(3)]
        acts = [partial(measured, plugin, task_of(kind), rows, rows) for rows in tables] * 2
        alone = [act() for act in acts]
        for one, two in zip(alone, at_once(acts), strict=True):
            assert one == two, apart(one, two, "measured at once with others, the same rows")

    def test_how_rows_are_stored_makes_no_difference(self, plugin: Any) -> None:
        """Chunks, dictionary encoding and wide offsets, equal in digest, are equal in checks."""
        for kind in kinds(plugin):
            heldout, training = rows_of(kind, seed=1), rows_of(kind, seed=2)
            once = measured(plugin, task_of(kind), heldout, training)
            stored = [stored_otherwise(table) for table in (heldout, training)]
            again = measured(plugin, task_of(kind), *stored)
            assert again == once, apart(once, again, "stored otherwise, the same rows")

    def test_the_stamp_is_left_to_core(self, plugin: Any) -> None:
        """A check comes without a maker: who made it is core's to say."""
        for check in measured(plugin, task_of(kinds(plugin)[0])):
            assert check.maker is None, f"{check.label} says itself who made it"

    def test_a_concern_is_a_sentence(self, plugin: Any) -> None:
        """A concern and a reason are one line each, and repeat no value of a data row."""
        for kind in kinds(plugin):
            bad = Answers(kind, sign=-1.0)
            for check in measured(plugin, task_of(kind), predictor=bad, champion=Answers(kind)):
                for text in (check.concern, check.reason):
                    assert "\n" not in text, f"{check.label} explains itself in several lines"
                    assert MARKER not in text, f"{check.label} repeats a value of a data row"
                assert MARKER not in check.subject, f"{check.name} names a value of a data row"

    def test_few_rows_are_no_fault(self, plugin: Any) -> None:
        """No row, one row, or two are measured, or refused in the contract's words."""
        for kind in kinds(plugin):
            rows = rows_of(kind)
            for n in (0, 1, 2):
                answered(plugin, f"{n} rows", task_of(kind), rows.slice(0, n), rows.slice(0, n))

    def test_dull_rows_are_no_fault(self, plugin: Any) -> None:
        """One class, one value, or nothing but nulls in a column break nothing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for kind in kinds(plugin):
            rows = rows_of(kind)
            same = rows.filter(pc.equal(rows["y"], rows["y"][0]))
            answered(plugin, "a target of one value", task_of(kind), same, same)
            place = rows.column_names.index("city")
            empty = rows.set_column(place, "city", pa.nulls(rows.num_rows, pa.string()))
            answered(plugin, "a column of nulls", task_of(kind), empty, empty)
            place = rows.column_names.index("y")
            some = pa.array([None, *rows["y"].to_pylist()[1:]], rows["y"].type)
            unlabelled = rows.set_column(place, "y", some)
            answered(plugin, "a null in the target", task_of(kind), unlabelled, unlabelled)

    def test_a_missing_target_is_said(self, plugin: Any) -> None:
        """Rows without the target are refused in the contract's words, or measured without it."""
        for kind in kinds(plugin):
            rows = rows_of(kind).drop_columns(["y"])
            answered(plugin, "rows without the target", task_of(kind), rows, rows)
            answered(plugin, "a task without a target", task_of(kind, target=None), rows, rows)

    def test_a_champion_hides_no_check(self, plugin: Any) -> None:
        """What is measured of a first candidate is measured beside a champion too."""
        if not has(plugin, "check_model"):
            pytest.skip("optional: the plugin does not implement check_model")
        for kind in kinds(plugin):
            alone = {check.label for check in measured(plugin, task_of(kind))}
            champion = Answers(kind, sign=0.5)
            beside = {check.label for check in measured(plugin, task_of(kind), champion=champion)}
            lost = alone - beside
            assert not lost, f"{min(lost, default='')} is not measured beside a champion"
