"""Captures that die with their process are counted by the next one, each time once."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa

from interlock.serving.capture import CaptureWriter, read_captures
from interlock_hookspecs import Capture

SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from interlock.serving.capture import CaptureWriter
from interlock_hookspecs import Capture

def capture(rows=1):
    table = pa.table({"x": [1.0] * rows})
    return Capture(request_id="r", at=datetime.now(UTC), release="release-1", rows=table,
                   predictions=table.rename_columns(["prediction"]))

writer = CaptureWriter(Path(sys.argv[1]), flush_seconds=3600, queue_rows=10)
lost = writer.lost if "heir" in sys.argv else 0
for _ in range(2):
    writer.put(capture())
writer.flush()
for _ in range(3):
    writer.put(capture())
if "expects" in sys.argv:
    writer.expect(4)
    writer.put(capture())
if "full" in sys.argv:
    writer.put(capture(11))
print("ready", lost, flush=True)
sys.stdin.read()
writer.close()
"""


def writing(folder, *words):
    """A process that has written two captures and holds three."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, folder, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    process.lost = int(process.stdout.readline().split()[1])
    return process


def end(process, number=signal.SIGKILL):
    process.send_signal(number)
    process.communicate(timeout=60)


def test_what_died_with_a_process_is_counted_by_the_next(tmp_path):
    """Three were taken and not written; whoever asks first counts them, and nobody else."""
    end(writing(tmp_path))
    first, second = CaptureWriter(tmp_path), CaptureWriter(tmp_path)
    assert (first.lost, second.lost) == (3, 0)
    first.close()
    second.close()
    assert read_captures(tmp_path, None, None).num_rows == 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]


def test_what_was_answered_and_not_yet_put_is_counted(tmp_path):
    """Four were expected and one of them came, beside three that were put."""
    end(writing(tmp_path, "expects"))
    writer = CaptureWriter(tmp_path)
    assert writer.lost == 3 + 4
    writer.close()


def test_what_was_counted_before_is_not_forgotten(tmp_path):
    """A killed process's own losses, and those that it had taken over, go on to the next."""
    end(writing(tmp_path))
    heir = writing(tmp_path, "heir", "full")
    assert heir.lost == 3
    end(heir)
    writer = CaptureWriter(tmp_path)
    # Three from before, one that found no room, three that died.
    assert writer.lost == 3 + 1 + 3
    writer.close()


def test_nothing_is_taken_from_a_process_that_lives(tmp_path):
    """Nor from one that closed: it has written everything."""
    living = writing(tmp_path)
    writer = CaptureWriter(tmp_path)
    assert writer.lost == 0
    writer.close()
    living.communicate("", timeout=60)
    writer = CaptureWriter(tmp_path)
    assert writer.lost == 0
    writer.close()
    assert read_captures(tmp_path, None, None).num_rows == 5


def test_a_process_that_only_watches_takes_nothing_over(tmp_path):
    """One that never asks leaves the counts to those that serve."""
    end(writing(tmp_path))
    CaptureWriter(tmp_path).close()
    writer = CaptureWriter(tmp_path)
    assert writer.lost == 3
    writer.close()


def test_a_file_of_counts_that_is_none_costs_nothing(tmp_path):
    """Cut off or foreign, it is left alone, and captures are written."""
    (tmp_path / ".counts-0.bin").write_bytes(b"\x01")
    writer = CaptureWriter(tmp_path)
    assert writer.lost == 0
    table = pa.table({"prediction": [1]})
    rows = pa.table({"x": [1.0]})
    assert writer.put(
        Capture(request_id="r", at=datetime.now(UTC), release="a", rows=rows, predictions=table)
    )
    writer.close()
    assert read_captures(tmp_path, None, None).num_rows == 1
