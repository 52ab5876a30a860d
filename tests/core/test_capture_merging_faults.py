"""Whoever puts captures together is killed, has no room, or has company: each row is there once."""

import os
import subprocess
import sys

import pyarrow.parquet as pq
from captures import HOUR, NOON, SECOND, TOMORROW, capture, written

from interlock.serving.capture import CaptureWriter, captured_span, read_captures
from interlock.serving.capture_folder import LOCK, claims
from interlock.serving.capture_merging import merge

FILES = 2
MOST_STEPS = 40

# A step is what changes the folder, or makes a change durable: the process dies before the n-th.
KILLS = """
import os, shutil, signal, sys
from datetime import datetime
from pathlib import Path

import pyarrow.parquet

from interlock.serving.capture_merging import merge

home, now, most = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])

def killed(folder, step):
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, status
        return os.WIFSIGNALED(status)
    left = step
    def dying(real):
        def call(*given, **more):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)
        return call
    for name in ("rename", "unlink", "fsync", "utime"):
        setattr(os, name, dying(getattr(os, name)))
    merge(folder, now)
    os._exit(0)

for first in range(most):
    once = home / f"{first}"
    shutil.copytree(home / "whole", once)
    if not killed(once, first):
        break
    for second in range(most):
        twice = home / f"{first}-{second}"
        shutil.copytree(once, twice)
        if not killed(twice, second):
            break
"""

# Puts together whatever is due until nobody listens any more, and says how often it did.
COMPANY = """
import select, sys
from datetime import datetime
from pathlib import Path

from interlock.serving import capture_due, capture_merging

capture_due.TOGETHER = 4
folder, now, done = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), 0
while not select.select([sys.stdin], [], [], 0.002)[0]:
    done += folder.exists() and capture_merging.merge(folder, now)
print(done)
"""

FULL = """
import resource, signal, sys
from datetime import datetime
from pathlib import Path

from interlock.serving.capture_merging import merge

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    merge(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]))
except OSError as error:
    print(error.strerror or error)
"""


def running(script, *words):
    """A process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def requests(folder):
    """Who asked for each row that is read, in order."""
    return sorted(read_captures(folder, None, None)["request_id"].to_pylist())


def test_killed_at_each_step_and_once_more(tmp_path):
    """However it was killed, and who went on with that, readers see each row; then it is done."""
    written(tmp_path / "whole", *(capture(number, at=NOON + HOUR) for number in range(FILES)))
    killer = running(KILLS, tmp_path, TOMORROW.isoformat(), MOST_STEPS)
    assert killer.communicate(timeout=600) == ("", None)
    assert killer.returncode == 0
    left = sorted(path for path in tmp_path.iterdir() if path.name != "whole")
    once = [path for path in left if "-" not in path.name]
    # As many as there are files for a claim and a removal each, four syncs, a time and a name.
    assert 2 * FILES + 6 <= len(once) < MOST_STEPS
    assert len(left) > 4 * len(once)
    wanted = requests(tmp_path / "whole")
    assert any(claims(path.name for path in folder.iterdir()) for folder in left)
    for folder in left:
        assert requests(folder) == wanted, folder.name
        assert captured_span(folder, "year") == ("year", 2015, 2014 + FILES), folder.name
        merge(folder, TOMORROW)
        assert requests(folder) == wanted, folder.name
        lock, file = sorted(path.name for path in folder.iterdir())
        assert (lock, file[-10:]) == (LOCK, "-3.parquet"), folder.name


def test_several_workers_and_readers_of_one_folder(tmp_path):
    """Two put together what two write; who reads meanwhile misses no row, and sees none twice."""
    company = [running(COMPANY, tmp_path, (NOON + HOUR).isoformat()) for _ in range(2)]
    writers = [CaptureWriter(tmp_path, flush_seconds=0.0) for _ in range(2)]
    known = []
    for number in range(300):
        at = NOON + number * SECOND
        assert writers[number % 2].put(capture(number, at=at))
        if number % 2:
            for writer in writers:
                writer.flush()
            known += [f"request-{number - 1}", f"request-{number}"]
            assert requests(tmp_path) == sorted(known)
            assert captured_span(tmp_path, "year") == ("year", 2015, 2015 + number)
    for writer in writers:
        writer.close()
    done = [int(process.communicate("\n", timeout=60)[0]) for process in company]
    assert sum(done) >= 1
    assert all(process.returncode == 0 for process in company)
    assert requests(tmp_path) == sorted(known)
    assert sum(writer.lost for writer in writers) == 0
    assert len(list(tmp_path.glob("captures-*.parquet"))) < len(known) / 4


def test_a_full_disk_leaves_all_as_it_was(tmp_path):
    """Where there is no room for the rows together, the files stay as they are until there is."""
    written(tmp_path, *(capture(number) for number in range(FILES)))
    before = sorted(path.name for path in tmp_path.iterdir())
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    for limit in (0, size // 2):
        full = running(FULL, tmp_path, TOMORROW.isoformat(), limit)
        assert "File too large" in full.communicate(timeout=60)[0]
        assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, *before]
    assert merge(tmp_path, TOMORROW)
    (path,) = tmp_path.glob("captures-*.parquet")
    assert pq.read_metadata(path).num_rows == FILES
