"""From the evidence of a step to a decision: early where it is sure, by value when it is ripe."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from interlock.lifecycle.rollouts.evidence import _counted
from interlock.lifecycle.rollouts.judge import SURE, Evidence, Seen, judge, lines
from interlock.lifecycle.rollouts.steps import Step, steps_of
from interlock.stack.rollout import RolloutBound, RolloutPlan
from interlock_hookspecs import Traffic, latency_cells
from interlock_hookspecs.measures import wilson

ERRORS = RolloutBound(key="rollout.error_rate", op="<=", limit=0.01)
PSI = RolloutBound(key="rollout.score_psi[score]", op="<=", limit=0.2, breach="hold")
F1 = RolloutBound(key="performance.f1", op=">=", limit=0.8, missing="pass")


def plan(*bounds, **keys):
    keys = {"window": 600.0, "min_requests": 100, "patience": 3600.0, **keys}
    return RolloutPlan(strategy="canary", steps=(0.1,), bounds=bounds, **keys)


def errors(failed, requests):
    low, high = wilson(failed, requests, SURE)
    return Evidence(key=ERRORS.key, value=failed / requests, n=requests, low=low, high=high)


def seen(*evidence, seconds=600.0, requests=100):
    return Seen(seconds=seconds, requests=requests, evidence={one.key: one for one in evidence})


def decided(a_plan, what, *, last=False):
    decision = judge(a_plan, what, last=last)
    return decision.word, decision.reason


def test_every_bound_holds_for_the_window_and_its_requests():
    """Then, and not before, the next step comes."""
    good = errors(0, 100)
    assert decided(plan(ERRORS), seen(good)) == (
        "promote", "1 bound held for 600 s and 100 requests"
    )  # fmt: skip
    assert decided(plan(ERRORS), seen(good, seconds=599)) == ("wait", "watched for 599 of 600 s")
    assert decided(plan(ERRORS), seen(good, requests=99)) == ("wait", "99 of 100 requests came")


def test_a_breach_by_value_waits_until_it_is_ripe():
    """Two failures of a hundred may be chance while the window lasts, and count at its end."""
    bad = errors(2, 100)
    assert decided(plan(ERRORS), seen(bad, seconds=30))[0] == "wait"
    word, reason = decided(plan(ERRORS), seen(bad))
    assert word == "rollback"
    assert reason == "rollout.error_rate is 0.02 (n = 100): the bound is <= 0.01"


def test_a_sure_breach_does_not_wait():
    """Everything fails: its whole interval lies outside, at once; of one burst it is no proof."""
    assert decided(plan(ERRORS), seen(errors(22, 22), seconds=2, requests=22))[0] == "rollback"
    assert decided(plan(ERRORS), seen(errors(1, 1), seconds=2, requests=1))[0] == "wait"
    assert decided(plan(ERRORS), seen(errors(19, 19), seconds=2, requests=19))[0] == "wait"


def test_latencies_that_are_not_told_are_no_evidence():
    """A bound on them waits, whatever was answered; errors and refusals are judged all the same."""
    told = Traffic(
        release="r", since=datetime.now(UTC), requests=20, refused=1, failed=2, latencies=()
    )
    evidence = _counted("rollout.latency_p99", told)
    assert (evidence.value, evidence.n) == (None, 0)
    assert evidence.reason == "its server does not tell how long each release takes"
    assert _counted("rollout.error_rate", told).value == 0.1
    assert told.minus(attrs.evolve(told, requests=10, refused=1, failed=0)).answered == 8


def test_counts_that_go_back_are_nothing_new():
    """A worker that is killed takes its last ones along, of one cell more than came since."""
    before = Traffic(
        release="r",
        since=datetime.now(UTC),
        requests=10,
        refused=2,
        failed=1,
        latencies=latency_cells([0.0004, 0.0004, 5.5]),
    )
    now = attrs.evolve(
        before, requests=12, refused=1, latencies=latency_cells([0.0004, 0.0004, 0.0004])
    )
    since = now.minus(before)
    assert (since.requests, since.refused, since.failed, since.answered) == (2, 0, 0, 1)
    assert since.latencies == latency_cells([0.0004])
    assert attrs.evolve(now, requests=9).minus(before).requests == 0
    later = attrs.evolve(now, since=before.since + timedelta(seconds=1))
    assert later.minus(before) == later


def test_a_good_release_is_not_broken_by_being_looked_at_often():
    """Of 200 at half the bound, looked at after each request, hardly one goes back early."""
    import random

    chance = random.Random(1)  # noqa: S311  (the same requests each time)
    broken = 0
    for _ in range(200):
        failed = 0
        for requests in range(1, 300):
            failed += chance.random() < 0.005
            what = seen(errors(failed, requests), seconds=1, requests=requests)
            if judge(plan(ERRORS, min_requests=1000), what, last=False).word == "rollback":
                broken += 1
                break
    assert broken <= 2


def test_a_breach_holds_where_the_bound_says_so():
    """And a breach that goes back is told before one that holds."""
    drifting = Evidence(key=PSI.key, value=0.5, n=500)
    assert decided(plan(PSI), seen(drifting))[0] == "hold"
    assert decided(plan(PSI, ERRORS), seen(drifting, errors(50, 100)))[0] == "rollback"


def test_without_an_interval_nothing_is_sure_early():
    """An index of few rows is large by chance."""
    assert (
        decided(plan(PSI), seen(Evidence(key=PSI.key, value=5.0, n=500), seconds=30))[0] == "wait"
    )


def test_no_evidence_is_no_promotion():
    """It waits, and holds when patience is out; what may be missing is passed over."""
    nothing = Evidence(key=PSI.key, reason="it answered no row that was captured")
    word, reason = decided(plan(PSI), seen(nothing))
    assert (word, reason) == (
        "wait",
        "there is no evidence of rollout.score_psi[score]: it answered no row that was captured",
    )
    assert decided(plan(PSI), seen(nothing, seconds=3600))[0] == "hold"
    late = Evidence(key=F1.key, reason="labels are still to come")
    assert decided(plan(F1), seen(late))[0] == "promote"
    assert decided(plan(F1), seen(Evidence(key=F1.key, value=0.5, n=90)))[0] == "rollback"


def test_patience_ends_for_requests_too():
    """A release that nobody asks is not promoted for having failed nobody."""
    nobody = Evidence(key=ERRORS.key, reason="it was asked nothing")
    word, reason = decided(plan(ERRORS), seen(nobody, seconds=4000, requests=0))
    assert (word, reason) == ("hold", "0 of 100 requests came after 4000 s")


def test_a_person_may_have_the_last_step():
    """Only the last one waits for them."""
    held = plan(ERRORS, finish="hold")
    assert decided(held, seen(errors(0, 100)), last=True)[0] == "hold"
    assert decided(held, seen(errors(0, 100)))[0] == "promote"


def test_a_decision_is_recorded_with_its_numbers():
    """Each measure with its n, its bound, and whether it held; nothing measured is neither."""
    late = Evidence(key=F1.key, reason="labels are still to come")
    first, second = lines(plan(ERRORS, F1), seen(errors(0, 100), late))
    assert (first["value"], first["n"], first["bound"], first["holds"]) == (0, 100, "<= 0.01", True)
    assert (second["value"], second["holds"]) == (None, None)
    assert second["reason"] == "labels are still to come"


@pytest.mark.parametrize(
    ("strategy", "steps", "expected"),
    [
        ("canary", (0.1, 0.5), (Step(0.1), Step(0.5))),
        ("champion-challenger", (0.5,), (Step(0.5),)),
        ("blue-green", (), (Step(1.0),)),
        ("shadow", (), (Step(0.0, mirror=True),)),
    ],
)
def test_a_strategy_is_its_steps(strategy, steps, expected):
    """What each lets the new release have."""
    assert steps_of(RolloutPlan(strategy=strategy, steps=steps)) == expected
