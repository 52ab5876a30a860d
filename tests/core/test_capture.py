"""Writing captures: what a server answered is on disk whole, and bounded in memory."""

import os
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from captures import HOUR, NOON, capture, written

from interlock.serving.capture import (
    ABOUT,
    CaptureWriter,
    captured_span,
    read_captures,
    sent_name,
    stored_name,
)
from interlock_hookspecs import CaptureSink


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


@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [3, 1, 2, 1], [2], [1]], ids=str)
@pytest.mark.parametrize("releases", [("release-1",), ("release-2", "release-1")], ids=str)
def test_what_rows_share_is_theirs(tmp_path, counts, releases):
    """Each row has its request, time, release and mirror, however many rows have the same."""
    made = [
        capture(
            number,
            at=NOON + number * HOUR,
            release=releases[number % len(releases)],
            mirror=number == 1,
            rows=pa.table({"x": [float(number)] * rows}),
        )
        for number, rows in enumerate(counts)
    ]
    writer = CaptureWriter(tmp_path)
    for each in made:
        assert writer.put(each)
    writer.close()
    read = read_captures(tmp_path, None, None)
    assert [str(read.schema.field(name).type) for name in ABOUT] == [
        "string",
        "int64",
        "timestamp[us, tz=UTC]",
        "string",
        "bool",
    ]
    assert read.select(ABOUT).to_pylist() == [
        {
            "request_id": each.request_id,
            "row": row,
            "at": each.at,
            "release": each.release,
            "mirror": each.mirror,
        }
        for each in made
        for row in range(each.rows.num_rows)
    ]
    # Whoever reads a file without us finds texts, too.
    assert [str(kind) for kind in pq.read_schema(*tmp_path.glob("*.parquet")).types[:5]] == [
        str(read.schema.field(name).type) for name in ABOUT
    ]
    for release in releases:
        of_it = read_captures(tmp_path, None, None, release=release)
        wanted = sum(each.rows.num_rows for each in made if each.release == release)
        assert (of_it.num_rows if wanted else 0) == wanted


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
