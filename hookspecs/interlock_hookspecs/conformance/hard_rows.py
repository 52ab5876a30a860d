"""What a validator promises of rows that are seldom so: hostile, hard, very many, from anywhere."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from interlock_hookspecs.conformance.learning import hard_columns, named_alike, replaced
from interlock_hookspecs.conformance.measuring import answered, apart, measured
from interlock_hookspecs.conformance.rows import kinds, rows_of, task_of
from interlock_hookspecs.conformance.suite import Suite
from interlock_hookspecs.conformance.zones import AHEAD, BEHIND, in_zone

if TYPE_CHECKING:
    import pyarrow as pa

_MANY = 50_000
_GROUPS = ("Ä", "A\u0308", "a", "A", " a", "", "a=b]")


class HardRowsPromises(Suite):
    """What holds for hostile names, hard values, times, and more rows than fit a sample."""

    def test_a_time_is_measured_alike_in_every_zone(self, plugin: Any) -> None:
        """A column of times gives the same checks, in whatever time zone the process is."""
        for kind in kinds(plugin):
            tables = [timed(rows_of(kind, seed=seed)) for seed in (1, 2)]
            for time in (None, "at"):
                task = task_of(kind, time=time)
                once = measured(plugin, task, *tables)
                for zone in (AHEAD, BEHIND):
                    with in_zone(zone):
                        again = measured(plugin, task, *tables)
                    assert again == once, apart(once, again, "in another time zone, the same rows")

    def test_any_text_is_the_name_of_a_column(self, plugin: Any) -> None:
        """A column is measured as one of equal values is, whatever it is called."""
        for kind in kinds(plugin):
            heldout, names = named_alike(rows_of(kind, seed=1))
            training, _ = named_alike(rows_of(kind, seed=2))
            what = "a column with a hostile name"
            found = answered(plugin, what, task_of(kind), heldout, training)
            seen = {(check.name, check.subject): (check.value, check.n) for check in found}
            assert len(seen) == len(found), "two checks have one name and subject"
            for (name, subject), check in list(seen.items()):
                if subject == "x":
                    for other in names:
                        alike = seen.get((name, other)) == check
                        assert alike, f"{name}[{other!r}] is not measured as {name}[x] is"

    def test_any_text_names_a_group(self, plugin: Any) -> None:
        """Groups are measured alike, whatever text each is called by; two texts are two groups."""
        for kind in kinds(plugin):
            task, found = task_of(kind, sensitive=("group",)), []
            for names in (_GROUPS, tuple(f"group {place}" for place in range(len(_GROUPS)))):
                tables = [grouped(rows_of(kind, 700, seed), names) for seed in (1, 2)]
                found.append(answered(plugin, "groups with hostile names", task, *tables))
            labels = [check.label for check in found[0]]
            assert len(set(labels)) == len(labels), "two groups have one label"
            hostile, plain = (Counter((one.name, one.value, one.n) for one in each)
                              for each in found)  # fmt: skip
            differ = sorted({name for name, *_ in hostile - plain})
            assert hostile == plain, f"hostile names of groups give another {differ[:1]}"

    def test_hard_values_are_no_fault(self, plugin: Any) -> None:
        """A feature of any type, with infinite, huge or no values, is measured or refused."""
        for kind in kinds(plugin):
            for what, rows in hard_columns(kind).items():
                answered(plugin, f"a feature of {what}", task_of(kind), rows, rows)

    def test_every_row_counts(self, plugin: Any) -> None:
        """Of very many rows the last ones make a difference, too."""
        import pyarrow as pa

        kind = kinds(plugin)[0]
        rows, more = rows_of(kind, _MANY), rows_of(kind, _MANY // 5, 1)
        values = []
        for tail in (more, others(more)):
            table = pa.concat_tables([rows, tail])
            checks = measured(plugin, task_of(kind), table, table)
            values.append({check.label: check.value for check in checks})
        assert values[0] != values[1], f"after the first {_MANY} rows, no row counts"


def timed(rows: pa.Table) -> pa.Table:
    """The rows with a column of times, two a day."""
    import pyarrow as pa

    begin = datetime(2026, 1, 1, 11, tzinfo=UTC)
    times = [begin + timedelta(hours=12 * place) for place in range(rows.num_rows)]
    return rows.append_column("at", pa.array(times, pa.timestamp("us", "UTC")))


def grouped(rows: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """The rows with a column of groups, as many rows in each."""
    import pyarrow as pa

    groups = [names[place % len(names)] for place in range(rows.num_rows)]
    return rows.append_column("group", pa.array(groups))


def others(rows: pa.Table) -> pa.Table:
    """As many rows with all else another: the feature that explains, the target, groups, nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    n = rows.num_rows
    columns = {
        "x": pc.negate(rows["x"]),
        "city": pa.nulls(n, pa.string()),
        "sex": pa.array([1] * n),
        "y": pa.array([rows["y"][0].as_py()] * n, rows["y"].type),
    }
    for name, column in columns.items():
        rows = replaced(rows, name, column)
    return rows
