"""Which rows are held out."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import UsageError
from interlock.lifecycle.split import split_rows, uneven
from interlock_hookspecs import Task


def task(**changes):
    return Task(dataset="d", **changes)


def ids(table):
    return table["id"].to_pylist()


ROWS = pa.table({"id": list(range(4000)), "x": [float(i % 7) for i in range(4000)]})


def test_the_same_row_is_held_out_wherever_it_stands():
    """Order, chunks and what else is in the table do not matter."""
    _, held = split_rows(ROWS, task(id="id"), "p")
    shuffled = pa.concat_tables([ROWS.slice(2500), ROWS.slice(0, 2500)]).append_column(
        "more", pa.array(["z"] * 4000)
    )
    assert set(ids(split_rows(shuffled, task(id="id"), "p")[1])) == set(ids(held))
    half = ROWS.slice(0, 2000)
    assert ids(split_rows(half, task(id="id"), "p")[1]) == [i for i in ids(held) if i < 2000]


def test_the_split_is_the_one_that_was_written_down():
    """The held-out rows are the same on every machine and in every release of ours."""
    _, held = split_rows(ROWS, task(id="id"), "employment")
    assert (held.num_rows, ids(held)[:5]) == FROZEN_IDS
    texts = ROWS.set_column(0, "id", pa.array([f"row {i}" for i in range(4000)]))
    _, held = split_rows(texts, task(id="id"), "employment")
    assert (held.num_rows, ids(held)[:3]) == FROZEN_TEXTS


FROZEN_IDS = (1018, [3, 14, 23, 28, 30])
FROZEN_TEXTS = (1041, ["row 9", "row 10", "row 12"])


def test_the_project_salts_the_split():
    """Two projects over the same rows hold out others."""
    assert ids(split_rows(ROWS, task(id="id"), "p")[1]) != ids(
        split_rows(ROWS, task(id="id"), "q")[1]
    )


def test_every_row_is_on_one_side_and_the_share_is_as_asked():
    """The sides are disjoint, complete, and of about the wished size."""
    training, held = split_rows(ROWS, task(id="id", holdout=0.1), "p")
    assert sorted(ids(training) + ids(held)) == list(range(4000))
    assert 0.08 < held.num_rows / 4000 < 0.12


def test_rows_without_an_id_are_split_by_their_content():
    """Equal rows go to one side, whatever the columns' order and string encoding."""
    rows = pa.table(
        {"a": [1, 2, 3] * 400, "b": ["x", None, "z"] * 400, "c": [0.5, None, -0.0] * 400}
    )
    rows = rows.append_column("d", pa.array([i // 3 for i in range(1200)]))
    _, held = split_rows(rows, task(), "p")
    other = rows.set_column(1, "b", rows["b"].dictionary_encode()).select(["d", "c", "b", "a"])
    _, again = split_rows(other, task(), "p")
    assert again.select(["a", "d"]).to_pylist() == held.select(["a", "d"]).to_pylist()


@given(st.integers(2, 60), st.floats(0.05, 0.95))
def test_a_cut_in_time_leaves_no_time_on_both_sides(periods, holdout):
    """All rows of one period are on one side, and the later ones are held out."""
    rows = pa.table({"t": [i % periods for i in range(300)], "id": list(range(300))})
    training, held = split_rows(rows, task(time="t", split="time", holdout=holdout), "p")
    assert max(training["t"].to_pylist()) < min(held["t"].to_pylist())


def test_one_period_cannot_be_cut():
    """A side that would be empty is refused, with what to write instead."""
    rows = pa.table({"t": [2015] * 10})
    with pytest.raises(UsageError, match="one value only") as caught:
        split_rows(rows, task(time="t", split="time"), "p")
    assert "hash" in caught.value.hint


def test_too_few_rows_to_split_are_refused():
    """A single row cannot be on both sides."""
    with pytest.raises(UsageError, match="leaves no"):
        split_rows(pa.table({"id": [1]}), task(id="id"), "p")


def test_a_cut_in_time_that_is_far_from_what_is_wished_is_said():
    """One row with a year far ahead is all that is held out; a near cut is not told."""
    timed = task(time="year", split="time", holdout=0.25)
    slip = pa.table({"year": [2015] * 99 + [99_999]})
    said = uneven(split_rows(slip, timed, "p")[1], 100, timed)
    assert said == (
        "split = 'time' holds out 1 of 100 rows, not 25%: 'year' is 99999 or later in them"
    )
    last = pa.table({"year": [2015] * 5 + [2016] * 95})
    assert "95 of 100" in uneven(split_rows(last, timed, "p")[1], 100, timed)
    even = pa.table({"year": [2015] * 70 + [2016] * 30})
    assert uneven(split_rows(even, timed, "p")[1], 100, timed) == ""
    hashed = task(id="id", holdout=0.25)
    assert uneven(ROWS.slice(0, 1), 100, hashed) == ""
