"""Ids sort by when they were made, whatever a clock says."""

import time

import pytest

from interlock import ids


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """Each test begins as a process does, and leaves no trace in the ids after it."""
    monkeypatch.setattr(ids, "_last", 0)


def test_ids_of_one_process_sort_as_they_were_made():
    """Many in one millisecond, too."""
    made = [ids.new_id("run") for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_clock_that_jumps_back(monkeypatch):
    """What comes after the jump sorts after what came before it."""
    before = ids.new_id("run")
    week_ago = time.time_ns() - 7 * 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: week_ago)
    later = [ids.new_id("run") for _ in range(5)]
    assert [before, *later] == sorted([before, *later])


def test_ids_of_a_ledger_whose_writer_was_ahead(monkeypatch):
    """After following an id, every new one sorts behind it; an older one changes nothing."""
    week_ahead = time.time_ns() + 7 * 86_400 * 10**9
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(time, "time_ns", lambda: week_ahead)
        theirs = ids.new_id("event")
    monkeypatch.setattr(ids, "_last", 0)
    old = ids.new_id("run")
    ids.follow(theirs)
    ids.follow(old)
    ours = ids.new_id("run")
    assert ours.partition("-")[2] > theirs.partition("-")[2]
