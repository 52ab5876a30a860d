"""Captures: what a server answered is on disk whole, bounded in memory, and read by window."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from interlock.errors import ArtifactError, UsageError
from interlock.serving.capture import (
    ABOUT,
    CaptureWriter,
    captured_span,
    read_captures,
    sent_name,
    stored_name,
)
from interlock_hookspecs import Capture, CaptureSink

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def capture(number=0, *, at=NOON, release="release-1", mirror=False, rows=None, predictions=None):
    rows = rows if rows is not None else pa.table({"x": [float(number)], "year": [2015 + number]})
    if predictions is None:
        predictions = pa.table({"score": [0.5] * len(rows), "prediction": [1] * len(rows)})
    return Capture(
        request_id=f"request-{number}",
        at=at,
        release=release,
        rows=rows,
        predictions=predictions,
        mirror=mirror,
    )


def written(folder, *captures):
    """A file of captures each, for as many as there are."""
    for each in captures:
        writer = CaptureWriter(folder)
        assert writer.put(each)
        writer.close()
        assert writer.problem == ""
    return folder


def test_the_writer_is_a_capture_sink(tmp_path):
    """The writer satisfies the contract's protocol."""
    writer = CaptureWriter(tmp_path)
    writer.close()
    assert isinstance(writer, CaptureSink)


def test_what_was_put_is_read_back(tmp_path):
    """Every row comes back with its request, its place in it, its time, its release and values."""
    rows = pa.table({"x": [1.0, None], "city": ["Lowell", None], "id": [7, 8]})
    predictions = pa.table({"score": [0.25, 0.75], "prediction": [0, 1]})
    first = capture(1, rows=rows, predictions=predictions, mirror=True)
    writer = CaptureWriter(tmp_path)
    writer.put(first)
    writer.put(capture(2, rows=rows.slice(1), predictions=predictions.slice(1)))
    writer.close()
    read = read_captures(tmp_path, None, None)
    assert read.column_names == [*ABOUT, "x", "city", "id", "score", "prediction"]
    assert read.to_pylist()[1] == {
        "request_id": "request-1",
        "row": 1,
        "at": NOON,
        "release": "release-1",
        "mirror": True,
        "x": None,
        "city": None,
        "id": 8,
        "score": 0.75,
        "prediction": 1,
    }
    assert read["row"].to_pylist() == [0, 1, 0]
    assert read["request_id"].to_pylist() == ["request-1", "request-1", "request-2"]


@pytest.mark.parametrize("name", ["request_id", "row", "at", "release", "mirror", "prediction"])
def test_an_input_with_a_taken_name_is_kept_beside(tmp_path, name):
    """A feature named as one of our columns is stored under another name, and found again."""
    rows = pa.table({name: [41.0], "input.z": [42.0]})
    read = read_captures(written(tmp_path, capture(rows=rows)), None, None).to_pylist()[0]
    assert read[stored_name(name, ["prediction"])] == 41.0
    assert {sent_name(column) for column in read if column.startswith("input.")} == {
        name,
        "input.z",
    }


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


def test_a_full_queue_loses_and_counts(tmp_path):
    """Beyond the queue's rows put answers False at once, counts, and what was taken is kept."""
    writer = CaptureWriter(tmp_path, queue_rows=3, flush_seconds=60)
    taken = [writer.put(capture(number)) for number in range(5)]
    writer.close()
    assert (taken, writer.lost) == ([True] * 3 + [False] * 2, 2)
    assert read_captures(tmp_path, None, None).num_rows == 3


def test_captures_are_bounded_by_number_too(tmp_path):
    """However few rows they have, only so many captures wait."""
    writer = CaptureWriter(tmp_path, queue_captures=1)
    with writer._changed:  # keeps the writing thread from emptying the queue in between
        taken = [writer.put(capture(number)) for number in range(2)]
    writer.close()
    assert (taken, writer.lost) == ([True, False], 1)


def test_flush_waits_for_what_was_put(tmp_path):
    """After flush everything put before is readable, without waiting for the interval."""
    writer = CaptureWriter(tmp_path, flush_seconds=600)
    writer.put(capture())
    began = time.monotonic()
    writer.flush()
    assert read_captures(tmp_path, None, None).num_rows == 1
    assert time.monotonic() - began < 300
    writer.close()


def test_the_interval_writes_by_itself(tmp_path):
    """Nobody has to flush: what was put is on disk after the interval."""
    writer = CaptureWriter(tmp_path, flush_seconds=0.05)
    writer.put(capture())
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert read_captures(tmp_path, None, None).num_rows == 1
    writer.close()


def test_after_the_end_captures_are_lost_and_counted(tmp_path):
    """A closed writer takes nothing more, says so, and may be closed again."""
    writer = CaptureWriter(tmp_path)
    writer.close()
    writer.close()
    assert (writer.put(capture()), writer.lost) == (False, 1)


def test_a_disk_that_takes_nothing_is_counted_and_told(tmp_path):
    """Where a file cannot be written its captures count as lost; the next ones are written."""
    folder = tmp_path / "captures"
    folder.write_text("a file is where the folder should be")
    writer = CaptureWriter(folder, flush_seconds=0.01)
    writer.put(capture(1))
    writer.put(capture(2))
    writer.flush()
    assert writer.lost == 2
    assert "captures were not written" in writer.problem
    folder.unlink()
    assert writer.put(capture(3))
    writer.close()
    assert (writer.lost, writer.problem) == (2, "")
    assert read_captures(folder, None, None)["request_id"].to_pylist() == ["request-3"]


def test_a_full_disk_leaves_no_temporary_file(tmp_path):
    """Where the file system refuses more bytes, nothing half-written stays behind."""
    script = """
import resource, signal, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from interlock.serving.capture import CaptureWriter
from interlock_hookspecs import Capture
from datetime import UTC, datetime
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).random(50_000)
writer = CaptureWriter(Path(sys.argv[1]))
writer.put(Capture(request_id="r", at=datetime.now(UTC), release="release-1",
                   rows=pa.table({"x": noise}), predictions=pa.table({"prediction": noise})))
writer.close()
print(writer.lost, writer.problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.startswith("1 captures were not written: File too large")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_have_any_name(tmp_path):
    """Names are bytes to a file system: under one that is no UTF-8, what was written is read."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    writer = CaptureWriter(folder)
    assert writer.put(capture())
    writer.close()
    assert (writer.lost, writer.problem) == (0, "")
    (path,) = folder.iterdir()
    with path.open("rb") as file:
        assert pq.read_table(file).num_rows == 1
    assert read_captures(folder, None, None).num_rows == 1
    column, first, last = captured_span(folder, None)
    assert (column, first) == (None, last)


def test_a_killed_writer_leaves_whole_files_only(tmp_path):
    """After SIGKILL in the middle of writing, every visible file can be read."""
    script = """
import sys
from pathlib import Path
import pyarrow as pa
from interlock.serving.capture import CaptureWriter
from interlock_hookspecs import Capture
from datetime import UTC, datetime
writer = CaptureWriter(Path(sys.argv[1]), flush_seconds=0.001)
table = pa.table({"x": list(range(2_000))})
while True:
    writer.put(Capture(request_id="r", at=datetime.now(UTC), release="release-1",
                       rows=table, predictions=pa.table({"prediction": table["x"]})))
    print("put", flush=True)
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.parquet"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert read_captures(tmp_path, None, None).num_rows % 2_000 == 0


def test_many_threads_may_put(tmp_path):
    """Captures put by several threads at once are all there, each once."""
    writer = CaptureWriter(tmp_path, flush_seconds=0.01)

    def put(first):
        for number in range(first, first + 200):
            writer.put(capture(number))

    threads = [threading.Thread(target=put, args=(first,)) for first in range(0, 800, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    read = read_captures(tmp_path, None, None)["request_id"].to_pylist()
    assert sorted(read) == sorted(f"request-{number}" for number in range(800))


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
