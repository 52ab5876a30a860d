"""Files of captures put together: fewer files, and each row once, as it was, for whoever reads."""

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from captures import HOUR, NOON, SECOND, TODAY, TOMORROW, capture, levels, names, seconds, written
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.errors import ArtifactError
from interlock.serving import capture_due, capture_files, capture_merging
from interlock.serving.capture import captured_span, read_captures
from interlock.serving.capture_merging import merge


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Four files are many."""
    monkeypatch.setattr(capture_due, "TOGETHER", 4)


def merged(folder, now):
    """Put together what is due, until nothing is."""
    while merge(folder, now):
        pass
    return folder


def rows(folder, **which):
    """All rows in an order of their own, as text: what is no number equals itself there."""
    found = read_captures(folder, None, None, **which).to_pylist()
    return sorted(str(sorted(row.items())) for row in found)


def test_many_files_become_one(tmp_path):
    """What is read is as before, row for row, in the same order and types."""
    seconds(tmp_path, 4)
    before = read_captures(tmp_path, None, None)
    assert merge(tmp_path, TODAY)
    assert levels(tmp_path) == [1]
    after = read_captures(tmp_path, None, None)
    assert after.equals(before)
    assert captured_span(tmp_path, "year") == ("year", 2015, 2018)
    assert captured_span(tmp_path, None) == (None, NOON, NOON + 3 * SECOND)


def test_few_files_of_today_wait(tmp_path):
    """Nothing is done, and nothing left in the folder, where fewer lie there."""
    before = sorted(seconds(tmp_path, 3).iterdir())
    assert not merge(tmp_path, TODAY)
    assert sorted(tmp_path.iterdir()) == before


def test_a_row_is_put_together_a_few_times_only(tmp_path):
    """What was put together is so again with as many of its kind, and not with each new file."""
    found = []
    for number in range(32):
        written(tmp_path, capture(number, at=NOON + number * SECOND))
        found.append(levels(merged(tmp_path, TODAY)))
    assert found[3:6] == [[1], [1, 0], [1, 0, 0]]
    assert found[14] == [1, 1, 1, 0, 0, 0]
    assert (found[15], found[19], found[31]) == ([2], [2, 1], [2, 2])
    assert read_captures(tmp_path, None, None)["request_id"].to_pylist() == [
        f"request-{number}" for number in range(32)
    ]


def test_a_day_that_is_over_is_one_file(tmp_path):
    """However few its files are; those of another day stay apart, and two that are late are one."""
    merged(seconds(tmp_path, 4), TODAY)
    written(tmp_path, capture(5, at=TODAY), capture(6, at=TODAY))
    written(tmp_path, capture(7, at=TOMORROW), capture(8, at=TOMORROW + HOUR))
    # Until a while after midnight something may still be written.
    assert levels(merged(tmp_path, NOON + 12 * HOUR + 300 * SECOND)) == [1, 0, 0, 0, 0]
    assert levels(merged(tmp_path, TOMORROW + 2 * HOUR)) == [3, 0, 0]
    assert read_captures(tmp_path, None, TOMORROW).num_rows == 6
    written(tmp_path, capture(9, at=TODAY + SECOND), capture(10, at=TODAY + SECOND))
    assert levels(merged(tmp_path, TOMORROW + 2 * HOUR)) == [3, 3, 0, 0]
    assert read_captures(tmp_path, None, TOMORROW).num_rows == 8


def test_its_name_and_age_are_those_of_the_youngest(tmp_path):
    """So that it is skipped by its name, and removed by its age, when no row of it is younger."""
    seconds(tmp_path, 4)
    for number, name in enumerate(names(tmp_path)):
        os.utime(tmp_path / name, (10**9 + number,) * 2)
    newest = names(tmp_path)[-1]
    merge(tmp_path, TODAY)
    (name,) = names(tmp_path)
    assert name[:25] == newest[:25]
    assert (tmp_path / name).stat().st_mtime == 10**9 + 3
    (tmp_path / name).write_bytes(b"never opened")
    assert read_captures(tmp_path, NOON + 4 * SECOND, None).num_rows == 0


def test_models_with_other_columns_stay_apart(tmp_path):
    """Each has a file; one that is like no other is looked at no more often than they are."""
    for number in range(4):
        at = NOON + number * SECOND
        other = pa.table({"city": ["Lowell"]})
        written(tmp_path, capture(number, at=at), capture(number, at=at, rows=other))
    written(tmp_path, capture(9, release="release-2", rows=pa.table({"x": ["1.0"]})))
    before = rows(tmp_path, release="release-1")
    assert levels(merged(tmp_path, TODAY)) == [1, 1, 1]
    assert rows(tmp_path, release="release-1") == before
    found = read_captures(tmp_path, None, None, release="release-2")["x"].to_pylist()
    assert found == ["1.0"]


def test_gaps_make_no_other_kind(tmp_path):
    """A file whose column has gaps goes together with one whose has none."""
    gap = pa.table({"x": pa.array([None, 1.0])})
    for number in range(4):
        given = gap.slice(number % 2, 1)
        written(tmp_path, capture(number, at=NOON + number * SECOND, rows=given))
    merge(tmp_path, TODAY)
    assert levels(tmp_path) == [1]
    assert read_captures(tmp_path, None, None)["x"].to_pylist() == [None, 1.0, None, 1.0]


def test_what_rows_share_is_written_once(tmp_path):
    """The release of all rows, and the request of many, take no room for each of them."""
    many = pa.table({"x": [0.5] * 5_000})
    answered = pa.table({"prediction": [1] * 5_000})
    size = max(
        path.stat().st_size
        for path in seconds(tmp_path, 4, rows=many, predictions=answered).glob("*.parquet")
    )
    merge(tmp_path, TODAY)
    assert (tmp_path / names(tmp_path)[0]).stat().st_size < 4 * size
    assert [str(kind) for kind in pq.read_schema(tmp_path / names(tmp_path)[0]).types[:5]] == [
        "string",
        "int64",
        "timestamp[us, tz=UTC]",
        "string",
        "bool",
    ]


def test_large_files_stay_as_they_are(tmp_path, monkeypatch):
    """They are not read, and do not keep small ones from being put together."""
    noise = pa.table({"x": [os.urandom(8).hex() for _ in range(2_000)]})
    seconds(tmp_path, 4, rows=noise, predictions=pa.table({"prediction": [1] * 2_000}))
    large = names(tmp_path)
    monkeypatch.setattr(capture_due, "_LARGE", 10_000)
    assert not merge(tmp_path, TODAY)
    seconds(tmp_path, 4)
    merged(tmp_path, TOMORROW)
    assert set(large) < set(names(tmp_path))
    assert sorted(levels(tmp_path)) == [0, 0, 0, 0, 3]


def test_memory_is_bounded(tmp_path, monkeypatch):
    """As many files are put together at once as are held in memory, and one beyond that is left."""
    monkeypatch.setattr(capture_merging, "_HELD", 40_000)
    many = pa.table({"x": [0.5] * 300})
    seconds(tmp_path, 6, rows=many, predictions=pa.table({"prediction": [1] * 300}))
    too_many = pa.table({"x": [0.5] * 1_000})
    written(
        tmp_path,
        capture(9, at=NOON, rows=too_many, predictions=pa.table({"prediction": [1] * 1_000})),
    )
    before = rows(tmp_path)
    merged(tmp_path, TOMORROW)
    assert levels(tmp_path) == [3, 3, 3]
    assert sorted(pq.read_metadata(tmp_path / name).num_rows for name in names(tmp_path)) == [
        900,
        900,
        1_000,
    ]
    assert rows(tmp_path) == before


def test_a_damaged_file_stays_and_is_named(tmp_path):
    """Others are put together without it; whoever reads is told of it as ever."""
    seconds(tmp_path, 5)
    damaged = tmp_path / names(tmp_path)[2]
    damaged.write_bytes(b"PAR1 and no more")
    merged(tmp_path, TOMORROW)
    assert levels(tmp_path) == [3, 3]
    with pytest.raises(ArtifactError, match="is no file of captures") as raised:
        read_captures(tmp_path, None, None)
    left = Path(str(raised.value).partition(" is no file")[0])
    assert left.read_bytes() == b"PAR1 and no more"
    left.unlink()
    assert read_captures(tmp_path, None, None).num_rows == 4


def test_what_cannot_be_put_together_keeps_nothing_else_from_it(tmp_path, monkeypatch):
    """Neither a foreign table under a name of ours, nor rows that Arrow does not put together."""
    seconds(tmp_path, 2)
    for number in range(2):
        name = f"{names(tmp_path)[0][:-24]}{number:016x}.parquet"
        pq.write_table(pa.table({"x": [1]}), tmp_path / name)
    written(tmp_path, *(capture(rows=pa.table({"city": ["Troy"]})) for _ in range(2)))
    joined = capture_merging._joined

    def refused(tables):
        if "city" in tables[0].column_names:
            raise pa.ArrowInvalid("not these")
        return joined(tables)

    monkeypatch.setattr(capture_merging, "_joined", refused)
    before = sorted(pq.read_metadata(tmp_path / name).num_rows for name in names(tmp_path))
    assert before == [1] * 6
    merged(tmp_path, TOMORROW)
    after = sorted(pq.read_metadata(tmp_path / name).num_rows for name in names(tmp_path))
    assert (after, levels(tmp_path)) == ([1, 1, 1, 1, 2], [3] * 5)


def test_files_that_are_not_ours_stay(tmp_path):
    """Whatever else lies in the folder is left alone."""
    seconds(tmp_path, 4)
    others = ["captures-.parquet", "captures-old.parquet", ".captures-0.parquet.tmp", "notes.txt"]
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    merged(tmp_path, TOMORROW)
    assert len(names(tmp_path)) == 3
    assert all((tmp_path / name).read_bytes() == b"mine" for name in others)


def test_a_window_decodes_the_groups_that_it_needs(tmp_path, monkeypatch):
    """Of a file in which many were put together, what is before the window is not read."""
    monkeypatch.setattr(capture_files, "_GROUP_ROWS", 2)
    seconds(tmp_path, 4)
    merge(tmp_path, TODAY)
    path = tmp_path / names(tmp_path)[0]
    first = pq.read_metadata(path).row_group(0)
    with path.open("r+b") as file:
        file.seek(4)
        file.write(bytes(first.column(first.num_columns - 1).data_page_offset))
    read = read_captures(tmp_path, NOON + 2 * SECOND, None)
    assert read["request_id"].to_pylist() == ["request-2", "request-3"]
    with pytest.raises(ArtifactError):
        read_captures(tmp_path, NOON, None)


KINDS = st.sampled_from(
    [
        {"x": [1.0, None], "year": [2015, 2016]},
        {"x": [0.5], "year": [2017]},
        {"city": ["Lowell", None, "Troy"]},
        {"x": [float("nan"), 2.0], "year": [None, 2018]},
    ]
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            KINDS,
            st.booleans(),
            st.sampled_from(["release-1", "release-2"]),
            st.booleans(),
        ),
        max_size=24,
    )
)
@settings(max_examples=15, deadline=None)
def test_whatever_was_captured_is_read_as_before(made):
    """Of any files, at any times, with a look in between or not, each row is there once."""
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        folder, plain = Path(here), Path(there)
        for number, (hour, columns, mirror, release, look) in enumerate(made):
            # Of two models at one moment, chance says which was the latest.
            at = NOON + hour * HOUR + number * SECOND
            table = pa.table(columns)
            each = capture(number, at=at, rows=table, release=release, mirror=mirror)
            written(folder, each)
            written(plain, each)
            if look:
                merged(folder, at)
        merged(folder, NOON + 90 * HOUR)
        assert rows(folder) == rows(plain)
        for column in (None, "year"):
            assert captured_span(folder, column) == captured_span(plain, column)
        start, end = NOON + 10 * HOUR, NOON + 40 * HOUR
        inside, wanted = (read_captures(each, start, end) for each in (folder, plain))
        assert sorted(inside["request_id"].to_pylist()) == sorted(wanted["request_id"].to_pylist())
