"""Reading captures back: by window, by release, across models; what is damaged is named."""

import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from captures import HOUR, NOON, capture, written

from interlock.errors import ArtifactError, UsageError
from interlock.serving import capture_reads
from interlock.serving.capture import ABOUT, CaptureWriter, captured_span, read_captures


def test_a_window_is_half_open(tmp_path):
    """The row at the start is in the window, the row at the end is not."""
    written(tmp_path, *(capture(hour, at=NOON + hour * HOUR) for hour in range(4)))
    read = read_captures(tmp_path, NOON + HOUR, NOON + 3 * HOUR)
    assert read["request_id"].to_pylist() == ["request-1", "request-2"]


def test_rows_of_one_file_are_told_apart_by_the_window(tmp_path):
    """A window's border may lie within a file."""
    writer = CaptureWriter(tmp_path)
    for hour in (2, 0, 1):
        writer.put(capture(hour, at=NOON + hour * HOUR))
    writer.close()
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    read = read_captures(tmp_path, NOON + HOUR, None)
    assert read["request_id"].to_pylist() == ["request-2", "request-1"]


def test_a_window_may_be_over_event_time(tmp_path):
    """With a time column the window is over it; rows without one are in no window."""
    written(tmp_path, *(capture(number) for number in range(4)))
    written(tmp_path, capture(9, rows=pa.table({"x": [9.0]})))
    written(tmp_path, capture(8, rows=pa.table({"x": [9.0], "year": pa.nulls(1, pa.int64())})))
    read = read_captures(tmp_path, 2016, 2018, time_column="year")
    assert sorted(read["year"].to_pylist()) == [2016, 2017]


def test_an_event_time_in_a_taken_name_is_found(tmp_path):
    """A time column of the client's that is named ``at`` is not the time of capture."""
    written(tmp_path, capture(1, rows=pa.table({"at": [2016]})), capture(2))
    read = read_captures(tmp_path, 2016, 2017, time_column="at")
    assert read["request_id"].to_pylist() == ["request-1"]


def test_event_times_may_be_timestamps(tmp_path):
    """A window over a captured timestamp compares instants, whatever zone they were sent in."""
    times = pa.array([NOON, NOON + HOUR], pa.timestamp("ms", "America/New_York"))
    written(tmp_path, capture(rows=pa.table({"when": times})))
    read = read_captures(tmp_path, NOON + HOUR, None, time_column="when")
    assert read["row"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("start", "column"), [(2015, None), (NOON, "year"), (2015, "when"), (1, "name")]
)
def test_a_window_that_does_not_fit_its_column_is_refused(tmp_path, start, column):
    """An integer is no instant, an instant no integer, and a text neither."""
    when = pa.array([NOON], pa.timestamp("us", "UTC"))
    written(tmp_path, capture(rows=pa.table({"year": [2015], "when": when, "name": ["a"]})))
    with pytest.raises(UsageError, match="captured column"):
        read_captures(tmp_path, start, None, time_column=column)


def test_one_release_is_read_alone(tmp_path):
    """The filter for a release leaves out the others."""
    written(tmp_path, capture(1, release="release-1"), capture(2, release="release-2"))
    read = read_captures(tmp_path, None, None, release="release-2")
    assert read["request_id"].to_pylist() == ["request-2"]


def test_models_with_other_features_are_unified(tmp_path):
    """A file for each schema; read together, null stands where a model has no such column."""
    writer = CaptureWriter(tmp_path)
    writer.put(capture(1))
    writer.put(capture(2, rows=pa.table({"city": ["Lowell"]})))
    writer.put(capture(3))
    writer.close()
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    read = read_captures(tmp_path, None, None).sort_by("request_id")
    assert read["x"].to_pylist() == [1.0, None, 3.0]
    assert read["city"].to_pylist() == [None, "Lowell", None]


def test_columns_that_cannot_be_unified_are_an_error(tmp_path):
    """A column that is a number for one model and text for another is not guessed at."""
    written(tmp_path, capture(1), capture(2, rows=pa.table({"x": ["one"]})))
    with pytest.raises(UsageError, match="do not fit together") as raised:
        read_captures(tmp_path, None, None)
    assert "one release" in raised.value.hint


def test_no_traffic_is_an_empty_table(tmp_path):
    """Where nothing was captured the columns are there and no row."""
    read = read_captures(tmp_path / "none", None, None)
    assert (read.num_rows, read.column_names) == (0, list(ABOUT))


def test_half_written_files_are_not_seen(tmp_path):
    """What a killed process left under a temporary name is ignored."""
    written(tmp_path, capture())
    name = next(tmp_path.glob("*.parquet")).name
    (tmp_path / f".{name}.tmp").write_bytes(b"PAR1")
    assert read_captures(tmp_path, None, None).num_rows == 1


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", None])
def test_a_damaged_file_is_named(tmp_path, damage):
    """A file that is empty, garbage or cut is an error with its name, never skipped."""
    path = next(written(tmp_path, capture()).glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    with pytest.raises(ArtifactError, match=path.name) as raised:
        read_captures(tmp_path, None, None)
    assert raised.value.hint


def test_a_foreign_parquet_file_is_named(tmp_path):
    """A table that is none of captures is an error, not a source of nulls."""
    name = f"captures-{0:016x}.parquet"
    pq.write_table(pa.table({"x": [1]}), tmp_path / name)
    with pytest.raises(ArtifactError, match=name):
        read_captures(tmp_path, None, None)


def test_a_thousand_files_are_read_in_seconds(tmp_path):
    """A day of little traffic, a file each time, is read as one table; old files stay closed."""
    one = written(tmp_path / "one", capture())
    table = read_captures(one, None, None)
    length = len(next(one.iterdir()).stem) - len("captures-") - 16
    folder = tmp_path / "many"
    folder.mkdir()
    for minute in range(1_000):
        at = NOON + timedelta(minutes=minute)
        here = table.set_column(2, "at", pa.array([at], pa.timestamp("us", "UTC")))
        name = f"captures-{int(at.timestamp()) * 1_000_000:016x}{'0' * length}.parquet"
        pq.write_table(here, folder / name)
    began = time.monotonic()
    assert read_captures(folder, None, None).num_rows == 1_000
    assert time.monotonic() - began < 60
    min(folder.iterdir()).write_bytes(b"never opened")
    assert read_captures(folder, NOON + 16 * HOUR, None).num_rows == 40


def test_reading_needs_no_folder_to_be_writable(tmp_path):
    """Reading leaves the folder as it was."""
    written(tmp_path, capture())
    before = sorted(Path(tmp_path).iterdir())
    read_captures(tmp_path, NOON, NOON + HOUR)
    assert sorted(Path(tmp_path).iterdir()) == before


def test_the_span_is_over_the_event_time_where_it_was_sent(tmp_path):
    """The earliest and latest value come from the files' notes; without the column it is `at`."""
    assert captured_span(tmp_path, "year") is None
    written(tmp_path, capture(1), capture(3, at=NOON + HOUR))
    assert captured_span(tmp_path, "year") == ("year", 2016, 2018)
    assert captured_span(tmp_path, "month") == (None, NOON, NOON + HOUR)


def test_a_time_that_no_calendar_has_is_passed_over(tmp_path):
    """One that is before year 1 or after 9999 in UTC is in no window, and hides no other."""
    for micros in (-(2**62), 2**62, int(NOON.timestamp()) * 10**6):
        when = pa.array([micros], pa.int64()).cast(pa.timestamp("us", "UTC"))
        written(tmp_path, capture(rows=pa.table({"x": [1.0], "when": when})))
    assert captured_span(tmp_path, "when") == ("when", NOON, NOON)
    read = read_captures(tmp_path, NOON, NOON + HOUR, time_column="when")
    assert read["when"].to_pylist() == [NOON]


def test_a_time_that_no_calendar_has_hides_none_of_its_file(tmp_path):
    """The earliest and latest of the others are found where all stand in one file."""
    for zone in ("UTC", "America/New_York", None):
        micros = [-(2**62), int(NOON.timestamp()) * 10**6, None, 2**62]
        when = pa.array(micros, pa.int64()).cast(pa.timestamp("us", zone))
        written(tmp_path / f"{zone}", capture(rows=pa.table({"x": [1.0] * 4, "when": when})))
        moment = NOON if zone else NOON.replace(tzinfo=None)
        assert captured_span(tmp_path / f"{zone}", "when") == ("when", moment, moment)


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    """It is an error, and not a folder in which nothing was captured."""

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(ArtifactError, match="cannot be read: Permission denied"):
        read_captures(tmp_path, None, None)


def test_old_files_may_go_while_they_are_read(tmp_path, monkeypatch):
    """Whoever removes them by their age stops no look that listed them a moment before."""
    written(tmp_path, *(capture(number, at=NOON + number * HOUR) for number in range(3)))
    oldest, *_, newest = listed = sorted(tmp_path.glob("captures-*.parquet"))
    found = [(path.name, path) for path in listed]
    monkeypatch.setattr(capture_reads, "listed", lambda _: found)
    oldest.unlink()
    assert captured_span(tmp_path, "year") == ("year", 2016, 2017)
    assert read_captures(tmp_path, None, None)["request_id"].to_pylist() == [
        "request-1",
        "request-2",
    ]
    newest.unlink()
    assert captured_span(tmp_path, "year") == ("year", 2016, 2016)
    for file in listed[1:-1]:
        file.unlink()
    assert captured_span(tmp_path, "year") is None
