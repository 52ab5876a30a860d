"""Files of captures put together while others are at them: removed, read, locked, written."""

import os
import subprocess
from datetime import timedelta

import pytest
from captures import TODAY, TOMORROW, capture, levels, names, seconds

from interlock.errors import InterlockError
from interlock.serving import capture_due, capture_folder, capture_merging, capture_reads
from interlock.serving.capture import CaptureWriter, read_captures
from interlock.serving.capture_folder import alone, steadily
from interlock.serving.capture_merging import merge

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Four files are many."""
    monkeypatch.setattr(capture_due, "TOGETHER", 4)


def test_what_is_removed_meanwhile_does_not_come_back(tmp_path, monkeypatch):
    """One that was read already is not there any more: all others are as they were."""
    seconds(tmp_path, 5)
    first, *others = names(tmp_path)
    encode = capture_merging.encode

    def removed_meanwhile(*given):
        encode(*given)
        (tmp_path / first).unlink()

    with monkeypatch.context() as patch:
        patch.setattr(capture_merging, "encode", removed_meanwhile)
        assert not merge(tmp_path, TODAY)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {capture_folder.LOCK, *others}
    merge(tmp_path, TODAY)
    assert levels(tmp_path) == [1]
    assert read_captures(tmp_path, None, None)["request_id"].to_pylist() == [
        f"request-{number}" for number in range(1, 5)
    ]


def test_what_is_removed_before_it_is_read_is_left_out(tmp_path, monkeypatch):
    """Others are put together without it."""
    seconds(tmp_path, 5)
    (tmp_path / names(tmp_path)[1]).rename(tmp_path / "gone")
    table = capture_merging._table
    gone = names(tmp_path)[0]

    def removed(path):
        if path.name == gone:
            path.unlink()
        return table(path)

    monkeypatch.setattr(capture_merging, "_table", removed)
    assert merge(tmp_path, TODAY)
    assert levels(tmp_path) == [1]
    assert read_captures(tmp_path, None, None)["row"].to_pylist() == [0, 0, 0]


def test_removing_by_age_goes_on(tmp_path, monkeypatch):
    """What the documentation says to type takes old files, and none that has a younger row."""
    seconds(tmp_path, 8)
    old, month = (int((TODAY - days * DAY).timestamp()) for days in (61, 30))
    find = ["find", tmp_path, "-name", "captures-*.parquet", "-mtime", "+60", "-delete"]
    for number, name in enumerate(names(tmp_path)):
        os.utime(tmp_path / name, (old if number < 2 else month,) * 2)
    encode = capture_merging.encode

    def cleaned_meanwhile(*given):
        encode(*given)
        subprocess.run(_aged(find), check=True)

    with monkeypatch.context() as patch:
        patch.setattr(capture_merging, "encode", cleaned_meanwhile)
        assert not merge(tmp_path, TODAY)
    assert merge(tmp_path, TOMORROW)
    assert levels(tmp_path) == [3]
    subprocess.run(_aged(find), check=True)
    assert read_captures(tmp_path, None, None)["request_id"].to_pylist() == [
        f"request-{number}" for number in range(2, 8)
    ]


def _aged(find):
    """The same command at the time of these captures, whenever a test is run."""
    limit = (TODAY - 60 * DAY).isoformat()
    place = find.index("-mtime")
    return [*find[:place], "!", "-newermt", limit, *find[place + 2 :]]


def test_nobody_puts_together_what_is_read(tmp_path):
    """While somebody reads nothing is done, however often it is tried; afterwards it is."""
    seconds(tmp_path, 4)
    with alone(tmp_path):
        pass
    tried = steadily(tmp_path, lambda: merge(tmp_path, TODAY))
    assert (tried, levels(tmp_path)) == (False, [0] * 4)
    assert merge(tmp_path, TODAY)


def test_one_at_a_time_puts_together(tmp_path):
    """Whoever comes second leaves it to the first."""
    seconds(tmp_path, 4)
    with alone(tmp_path) as first, alone(tmp_path) as second:
        assert (first, second) == (True, False)
        assert not merge(tmp_path, TODAY)
    assert merge(tmp_path, TODAY)


def test_the_first_lock_comes_while_files_are_read(tmp_path, monkeypatch):
    """Who found none reads once more: the files that it listed may be gone."""
    seconds(tmp_path, 4)
    listed = capture_reads.listed

    def and_then_merged(folder):
        found = listed(folder)
        merge(folder, TODAY)
        return found

    monkeypatch.setattr(capture_reads, "listed", and_then_merged)
    assert read_captures(tmp_path, None, None).num_rows == 4
    assert levels(tmp_path) == [1]


def test_who_holds_the_lock_and_does_not_go_on_is_told(tmp_path, monkeypatch):
    """A look does not wait for a stopped process for ever."""
    monkeypatch.setattr(capture_folder, "_WAIT_SECONDS", 0.0)
    with alone(seconds(tmp_path, 1)), pytest.raises(InterlockError, match="does not go on") as told:
        read_captures(tmp_path, None, None)
    assert capture_folder.LOCK in told.value.hint
    assert read_captures(tmp_path, None, None).num_rows == 1


def test_a_lock_that_was_removed_is_none(tmp_path):
    """Who held it shuts out neither the next who puts together, nor who reads."""
    seconds(tmp_path, 4)
    with alone(tmp_path):
        (tmp_path / capture_folder.LOCK).unlink()
        assert read_captures(tmp_path, None, None).num_rows == 4
        assert merge(tmp_path, TODAY)
    assert read_captures(tmp_path, None, None).num_rows == 4


def test_a_file_system_without_locks_keeps_its_files(tmp_path, monkeypatch):
    """Nothing is put together there, and all is read."""
    seconds(tmp_path, 4)

    def refused(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(capture_folder.fcntl, "flock", refused)
    with pytest.raises(OSError, match="not supported"):
        merge(tmp_path, TODAY)
    assert levels(tmp_path) == [0] * 4
    assert read_captures(tmp_path, None, None).num_rows == 4


def test_a_writer_that_ends_breaks_off(tmp_path):
    """Between files it is asked whether to stop; then all is as it was."""
    seconds(tmp_path, 4)
    assert not merge(tmp_path, TODAY, stopping=lambda: True)
    assert levels(tmp_path) == [0] * 4


def test_a_writer_puts_its_files_together(tmp_path, monkeypatch):
    """By itself, also after a look at which the disk took nothing; and it loses nothing by it."""
    failures = [OSError(28, "No space left on device"), RuntimeError("and something else")]
    encode = capture_merging.encode

    def full_at_first(*given):
        if failures:
            raise failures.pop()
        encode(*given)

    monkeypatch.setattr(capture_merging, "encode", full_at_first)
    writer = CaptureWriter(tmp_path, flush_seconds=0.0, upkeep_seconds=0.01)
    number = 0
    while max([0, *levels(tmp_path)]) < 2:
        assert writer.put(capture(number))
        writer.flush()
        number += 1
    writer.close()
    assert (writer.lost, writer.problem, failures) == (0, "", [])
    found = read_captures(tmp_path, None, None)["request_id"].to_pylist()
    assert sorted(found) == sorted(f"request-{each}" for each in range(number))
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".bin", ".tmp")]
