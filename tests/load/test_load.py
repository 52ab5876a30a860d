"""An endpoint under load, while releases change, canaries are bad, and workers are killed.

`make load` does it for ten minutes; here it is done for INTERLOCK_LOAD_SECONDS, half a minute
where nothing is said.
"""

import os
import statistics
from collections import Counter

import pytest
from load_captured import captured
from load_page import write_result
from load_story import CANARIES, Teller, both, readiness
from load_tally import BROKEN

pytestmark = pytest.mark.real_backend

SECONDS = float(os.environ.get("INTERLOCK_LOAD_SECONDS", "30"))
LONG = SECONDS >= 120
KILL_SECONDS, CANARY_SECONDS = (20.0, 30.0) if LONG else (8.0, 10.0)
SWAPS = 0.9 * SECONDS if LONG else 2
"""How many must have been done: of one a second, or one each way, where other tests run beside."""
FLAT = 1.1
SPARE_BYTES = 16e6
"""What a process may hold more in the last third than in the first: a tenth, and a little more."""
MEASURES = {"Failing": "rollout.error_rate", "Late": "rollout.latency_p99",
            "Wrong": "rollout.agreement"}  # fmt: skip


class Run:
    """What a load came to: what the client saw, what was done meanwhile, and what was captured."""


@pytest.fixture(scope="module")
def load(served, tmp_path_factory):
    """The load, once for all tests of this file."""
    folder, project = tmp_path_factory.mktemp("asking"), served.project
    asking = served.asking(folder)
    try:
        run = Run()
        run.estimators = dict(zip(served.bad, MEASURES, strict=True))
        run.story = Teller(
            project,
            good=served.good,
            bad=served.bad,
            late=next(release for release, name in run.estimators.items() if name == "Late"),
            seconds=SECONDS,
            kill_seconds=KILL_SECONDS,
            canary_seconds=CANARY_SECONDS,
        ).play()
        run.client = asking.end()
        run.connections = asking.connections
    finally:
        asking.kill()
    address = project.endpoint["address"]
    both(address, run.story.killed)
    run.lost = readiness(address)["captures_lost"]
    project("undeploy")
    folder = project.folder / ".interlock" / "captures"
    run.captured = captured(folder, run.client, served.expected)
    run.folder = folder
    write_result(run, SECONDS, KILL_SECONDS)
    return run


def test_every_answer_is_that_of_the_release_that_it_names(load):
    """Whatever changed meanwhile: none is wrong, and all releases were met."""
    assert (load.client["wrong"], load.client["examples"]) == (0, [])
    good = set(load.client["answered"]) - set(load.estimators)
    assert len(good) == 2
    assert set(load.client["by"]) == {"json", "binary", "grpc"}
    assert sum(load.client["answered"].values()) > 10 * SECONDS
    assert load.captured.wrong == 0


def test_only_what_a_killed_worker_had_is_unanswered(load):
    """No connection is refused; what failed was in flight in a killed worker, or met a canary."""
    why = Counter(
        reason if not reason.startswith(BROKEN) else ("killed" if worker in load.story.killed else
        f"{reason}, worker {worker}")
        for _, _, reason, worker in load.client["unanswered"]
    )  # fmt: skip
    assert set(why) <= {"killed", "500 the model failed: CanaryFault"}
    assert load.client["refused"] == 0
    kills, connections = len(load.story.killed), len(load.client["asked"])
    assert kills >= 1
    assert why["killed"] + load.client["greetings"] <= kills * connections


def test_every_capture_is_there_once_or_counted(load):
    """Those of workers that live are all there; those that died with one are counted lost."""
    found = load.captured
    assert (found.twice, found.unasked) == (0, 0)
    strays = [
        (place, number)
        for place, number in found.missing
        if worker_of(load.client, place, number) not in load.story.killed
    ]
    assert strays == []
    assert len(found.missing) <= load.lost


def worker_of(client, place, number):
    """Who answered a request."""
    return [pid for first, pid in client["workers"][place] if first <= number][-1]


def test_every_bad_canary_is_taken_out_by_what_it_does(load):
    """By itself, and for the reason that it is bad."""
    assert len(load.story.canaries) >= CANARIES
    for release, reason, _ in load.story.canaries:
        assert f"{MEASURES[load.estimators[release]]} is " in reason


def test_a_rollback_goes_back_meanwhile(served, load):
    """To the release that was live before; that it failed no request, the tests above say."""
    assert load.story.back == next(iter(served.good))


def test_what_is_served_changes_all_the_while(load):
    """As often as was said, on the whole, between the two formats."""
    assert len(load.story.swaps) >= SWAPS


def test_memory_stays_flat(load):
    """The last third of the time holds no more than the first one did."""
    for samples in load.story.memory.values():
        third = len(samples) // 3
        first, last = (
            statistics.median(held for _, held in part)
            for part in (samples[:third], samples[-third:])
        )
        assert last <= first * FLAT + SPARE_BYTES


def test_the_ledger_is_sound(served, load):
    """Every change is in it, and nothing else was touched."""
    del load
    served.project("audit", "verify")
