"""What an endpoint of several processes counted: never less than anybody was told before."""

import os
import signal
import subprocess
import sys

import pytest

from interlock_serving.workers import merged
from interlock_serving.workers.slots import Slot
from interlock_serving.workers.totals import Totals


@pytest.fixture
def slots():
    """The slots of an endpoint with two places."""
    made = [Slot.made(), Slot.made()]
    yield made
    for each in made:
        each.close()


def state(pid, *rows, lost=0, skipped=0, **more):
    """A worker's readiness: rows of a release, when it began to be counted, and how often."""
    return {
        "ready": True,
        "serving": [release for release, _, _ in rows],
        "problem": "",
        "captures_lost": lost,
        "mirrors_skipped": skipped,
        "traffic": [
            {
                "release": release,
                "mirror": False,
                "weight": 1.0,
                "since": since,
                "requests": requests,
                "refused": 0,
                "failed": 0,
                "latencies": [requests, 0],
            }
            for release, since, requests in rows
        ],
        "pid": pid,
        **more,
    }


def metrics_of(own):
    """Counts for metrics that fit a worker's readiness."""
    rows = {row["release"]: row["latencies"] for row in own["traffic"]}
    return {"cells": rows, "requests": {"GET / 200": sum(map(sum, rows.values()))}}


def told(totals, own, *others):
    """What the endpoint is said to have counted: each release, its beginning, and all requests."""
    total = totals.total(own, metrics_of(own), others or None)
    rows = {
        row["release"]: (row["since"], row["requests"], row["latencies"])
        for row in total.traffic([own, *others])
    }
    assert {release: cells for release, (_, _, cells) in rows.items()} == total.counts["cells"]
    return {release: row[:2] for release, row in rows.items()}, total.counts["requests"]


def test_what_workers_say_is_added_up(slots):
    """Served is what all serve; counts are sums, those of the dead included; one problem each."""
    dead = Totals(slots, 1)
    dead.tell(state(9, ("a", "2026-01-01", 5), skipped=3), {}, None)
    mine, its = Totals(slots, 0), Totals(slots, 1)
    own = state(7, ("a", "2026-01-02", 2), ("b", "2026-01-02", 0), lost=1, problem="late")
    other = state(5, ("a", "2026-01-03", 1), lost=4, ready=False, problem="late")
    its.tell(other, {}, [own])
    said = merged.readiness(own, [other], mine.total(own, {}, [other]), 1)
    assert (said["ready"], said["serving"], said["workers"]) == (False, ["a"], [5, 7])
    assert said["problem"] == "late; workers that are being started: 1 of 3"
    assert (said["captures_lost"], said["mirrors_skipped"]) == (5, 3)
    traffic = {row["release"]: row for row in said["traffic"]}
    assert traffic["a"]["since"] == "2026-01-01"
    assert (traffic["a"]["requests"], traffic["a"]["latencies"]) == (8, [8, 0])
    assert traffic["b"]["requests"] == 0


def test_what_one_was_told_the_next_one_is_told_by_another(slots):
    """Its neighbour has not heard of it, and it is killed: what it said is in the sum."""
    one, other = Totals(slots, 0), Totals(slots, 1)
    assert told(one, state(1, ("a", "1", 90))) == ({"a": ("1", 90)}, {"GET / 200": 90})
    assert told(other, state(2, ("a", "2", 0))) == ({"a": ("1", 90)}, {"GET / 200": 90})
    heir = Totals(slots, 0)
    assert told(other, state(2, ("a", "2", 7))) == ({"a": ("1", 97)}, {"GET / 200": 97})
    # It has loaded nothing yet, and nobody has told it of the other.
    assert told(heir, state(3)) == ({}, {"GET / 200": 97})
    assert told(heir, state(3, ("a", "3", 1))) == ({"a": ("1", 98)}, {"GET / 200": 98})


def test_a_release_is_counted_on_while_anybody_serves_it_and_anew_after(slots):
    """One worker drops it sooner than the other; put back everywhere it begins from nothing."""
    one, other = Totals(slots, 0), Totals(slots, 1)
    first, second = state(1, ("a", "1", 100)), state(2, ("a", "1", 50))
    told(one, first, second)
    assert told(other, second, first)[0] == {"a": ("1", 150)}
    swapped = state(1, ("b", "4", 3))
    assert told(one, swapped, second)[0] == {"a": ("1", 150), "b": ("4", 3)}
    # Opened anew here, while the other still has it.
    back = state(1, ("a", "5", 1), ("b", "4", 3))
    assert told(one, back, second)[0] == {"a": ("1", 151), "b": ("4", 3)}
    told(one, swapped, second)
    gone = state(2, ("b", "4", 2))
    told(other, gone, swapped)
    assert told(one, swapped, gone)[0] == {"b": ("4", 5)}
    anew = state(1, ("a", "6", 0))
    told(other, gone, swapped)
    assert told(one, anew, gone)[0]["a"] == ("6", 0)


def test_captures_of_the_dead_are_counted_once_by_whoever_inherits_them(slots):
    """Two die at once, and one heir finds what both had lost: never less, and never twice."""
    one, other = Totals(slots, 0), Totals(slots, 1)
    first, second = state(1, lost=5), state(2, lost=2)
    one.tell(first, {}, [second])
    assert other.total(second, {}, [first]).lost == 7
    heir, late = Totals(slots, 1), Totals(slots, 0)
    assert late.total(state(4), {}, None).lost == 7
    assert heir.total(state(3, lost=9), {}, None).lost == 9
    assert late.total(state(4), {}, [state(3, lost=9)]).lost == 9


def test_sums_of_fractions_are_the_same_whoever_is_asked(slots):
    """Added in another order their last digit may go back, which a scraper takes for a reset."""
    slots = [*slots, Slot.made()]
    totals = [Totals(slots, number) for number in range(3)]
    seconds, before = [0.0, 0.0, 0.0], 0.0
    for turn in range(300):
        # The first is asked often, and has nothing new to say.
        number = turn % 3
        seconds[number] += 0.1 * number
        counts = {"request_seconds": {"/": seconds[number]}}
        now = totals[number].total(state(number), counts, None).counts["request_seconds"]["/"]
        assert now >= before
        before = now
    slots[2].close()


WRITER = """
import sys
from interlock_serving.workers.slots import Slot
slot = Slot(int(sys.argv[1]))
number = int(slot.read() or b"0")
while True:
    number += 1
    slot.write(b"%d" % number + b" " * (number % 50_000))
"""


def test_a_slot_is_read_whole_while_it_is_written_and_after_a_kill():
    """What is read is never half of it, and never older than what was read before."""
    slot, last, beginnings = Slot.made(), 0, []
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(slot.handle)],
            pass_fds=[slot.handle],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        began = last
        try:
            while last < began + 200:
                said = slot.read()
                number = int(said or b"0")
                assert said == (b"%d" % number + b" " * (number % 50_000) if number else b"")
                assert number >= last
                last = number
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        beginnings.append(int(slot.read()))
    assert beginnings == sorted(beginnings)
    with pytest.raises(ValueError, match="there is room for"):
        slot.write(b" " * 17_000_000)
    assert int(slot.read()) == beginnings[-1]
    slot.close()
