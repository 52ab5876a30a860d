"""Bounds against checks: what passes, what does not, and in which words."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_govern_policy import PolicyGate, judge, judge_bound
from interlock_hookspecs import (
    Artifact,
    Bound,
    Check,
    Dossier,
    Maker,
    Model,
    ModelFacts,
    Policy,
    Signature,
    Verdict,
    bytes_digest,
)
from interlock_hookspecs.conformance.govern import GovernSuite

TODAY = date(2026, 11, 23)
METRICS = Maker(plugin="validate-metrics", version="0.1.0")
FAIRNESS = Maker(plugin="validate-fairness", version="0.1.0")
AUC = Check(name="roc_auc", value=0.905, n=17196, low=0.9, high=0.91, maker=METRICS)
GAP = Check(name="overfit_gap", value=0.19, n=17196, maker=METRICS)
RATIO = Check(
    name="selection_rate_ratio",
    subject="RAC1P",
    value=0.78,
    n=17000,
    undersized=("RAC1P=4", "RAC1P=5"),
    maker=FAIRNESS,
)


def dossier_of(*checks: Check, bounds: tuple[Bound, ...] = (), **others: object) -> Dossier:
    digest = bytes_digest(b"")
    artifact = Artifact(digest=digest, size=9, name="model.skops")
    signature = Signature(kind="binary", inputs=(), outputs=())
    return attrs.evolve(
        Dossier(
            digest=digest,
            run="run-1",
            project="employment",
            stack="dev",
            model=Model(format="skops", artifact=artifact, signature=signature),
            data=digest,
            code=digest,
            threshold=0.5,
            checks=checks,
            policy=Policy(bounds=bounds),
        ),
        **others,
    )


def bound_of(text: str, key: str = "metrics.roc_auc", **others: object) -> Bound:
    op, limit = text.split()
    return Bound(key=key, op=op, limit=float(limit), **others)


def verdict_of(bound: Bound, *checks: Check) -> Verdict:
    return judge_bound(bound, checks, min_group=100)


def test_measured_and_within() -> None:
    """A check inside its bound is approved, with the numbers."""
    verdict = verdict_of(bound_of(">= 0.85"), AUC, GAP)
    assert verdict.decision == "approve"
    assert verdict.subject == verdict.check == "metrics.roc_auc"
    assert verdict.reason == "metrics.roc_auc is 0.905 (n 17196), within the bound >= 0.85."
    assert verdict.change == ""


def test_measured_and_beyond() -> None:
    """A check outside its bound is refused, and told by how much and whom to ask."""
    verdict = verdict_of(bound_of("<= 0.05", "metrics.overfit_gap", included=True), GAP)
    assert verdict.decision == "refuse"
    assert verdict.reason == "metrics.overfit_gap is 0.190 (n 17196), over the bound <= 0.05."
    assert verdict.change == (
        "lower it by 0.140, or ask the owner of the included policy to change the bound."
    )


def test_explain_asks_a_person() -> None:
    """A bound that may be explained waits for a person's reason instead of refusing."""
    verdict = verdict_of(bound_of(">= 0.95", severity="explain"), AUC)
    assert verdict.decision == "explain"
    assert verdict.change == "a person approves with a reason, or raise it by 0.045."


def test_nobody_measured_it() -> None:
    """A bound on something unmeasured refuses, and names the nearest that was measured."""
    verdict = verdict_of(bound_of(">= 0.85", "metrics.rok_auc", severity="explain"), AUC, GAP)
    assert verdict.decision == "refuse"
    assert verdict.reason.startswith("nobody measured metrics.rok_auc")
    assert "metrics.roc_auc" in verdict.change
    assert verdict_of(bound_of(">= 0.85")).decision == "refuse"


@pytest.mark.parametrize("severity", ["refuse", "explain"])
def test_check_without_a_value(severity: str) -> None:
    """A check that could not be measured refuses whatever the severity, with its own reason."""
    check = Check(name="roc_auc", reason="the held-out rows have one class", maker=METRICS)
    verdict = verdict_of(bound_of(">= 0.85", severity=severity), check)
    assert verdict.decision == "refuse"
    assert verdict.reason == "metrics.roc_auc has no value: the held-out rows have one class."


@pytest.mark.parametrize("severity", ["refuse", "explain"])
@pytest.mark.parametrize("limit", [">= 0.7", ">= 0.8"])
def test_undersized_groups_wait_for_a_person(severity: str, limit: str) -> None:
    """A group with too few rows turns its check to explain, held or not, whatever the severity."""
    bound = bound_of(limit, "fairness.selection_rate_ratio[RAC1P]", severity=severity)
    verdict = verdict_of(bound, RATIO)
    assert verdict.decision == "explain"
    assert "without groups of under 100 rows: RAC1P=4, RAC1P=5." in verdict.reason


def test_undersized_without_a_value_refuses() -> None:
    """Fewer than two measured groups give no ratio, and no ratio refuses."""
    check = attrs.evolve(RATIO, value=None, reason="one group has 100 rows or more")
    bound = bound_of(">= 0.8", "fairness.selection_rate_ratio[RAC1P]", severity="explain")
    assert verdict_of(bound, check).decision == "refuse"


@pytest.mark.parametrize(
    ("text", "decision", "end"),
    [
        (">= 0.89", "approve", "low end .* is 0.900"),
        (">= 0.902", "refuse", "low end .* is 0.900"),
        ("<= 0.908", "refuse", "high end .* is 0.910"),
    ],
)
def test_interval_compares_its_worse_end(text: str, decision: str, end: str) -> None:
    """A bound on the interval holds only where its worse end does."""
    verdict = verdict_of(bound_of(text, on="interval"), AUC)
    assert verdict.decision == decision
    assert re.search(end, verdict.reason)


def test_interval_that_is_not_there() -> None:
    """A bound on the interval of a check that has none refuses and says so."""
    verdict = verdict_of(bound_of("<= 0.5", "metrics.overfit_gap", on="interval"), GAP)
    assert verdict.decision == "refuse"
    assert "has no interval" in verdict.reason


@pytest.mark.parametrize("plugin", ["project", "govern-metrics", "train-metrics", "metrics"])
def test_included_bound_counts_its_own_maker_only(plugin: str) -> None:
    """A check by anybody but the named validate plugin never satisfies an included bound."""
    word = Maker(plugin=plugin, version="1").word
    check = attrs.evolve(AUC, maker=Maker(plugin=plugin, version="1"))
    verdict = verdict_of(bound_of(">= 0.85", f"{word}.roc_auc", included=True), check)
    assert verdict.decision == "refuse"
    assert f"counts validate-{word} alone" in verdict.reason
    assert verdict_of(bound_of(">= 0.85", f"{word}.roc_auc"), check).decision == "approve"


def test_unstamped_check_satisfies_no_included_bound() -> None:
    """A check whose maker nobody knows does not count for a platform's bound."""
    check = attrs.evolve(AUC, name="metrics.roc_auc", maker=None)
    assert verdict_of(bound_of(">= 0.85", included=True), check).decision == "refuse"


def test_project_check_does_not_worsen_an_included_bound() -> None:
    """What does not count for an included bound neither saves nor sinks it."""
    other = attrs.evolve(AUC, value=0.1, maker=Maker(plugin="govern-metrics", version="1"))
    assert verdict_of(bound_of(">= 0.85", included=True), other, AUC).decision == "approve"


@pytest.mark.parametrize("worse", [0.5, 0.86, None])
def test_worse_of_two_counts(worse: float | None) -> None:
    """Of two checks of one name the worse is judged, in either order."""
    other = attrs.evolve(AUC, value=worse, reason="" if worse else "no positives")
    bound = bound_of(">= 0.85")
    one, two = verdict_of(bound, AUC, other), verdict_of(bound, other, AUC)
    assert one == two == verdict_of(bound, other)


def test_two_bounds_of_one_key() -> None:
    """Each of two bounds under one key gets a verdict of its own."""
    bounds = (bound_of(">= 0.85"), bound_of(">= 0.95", included=True))
    verdicts = judge(dossier_of(AUC, bounds=bounds), TODAY)
    assert [verdict.decision for verdict in verdicts] == ["approve", "refuse"]
    assert {verdict.subject for verdict in verdicts} == {"metrics.roc_auc"}


def test_number_shows_the_side_it_is_on() -> None:
    """A value a hair under its bound is not printed as if it were on it."""
    verdict = verdict_of(bound_of(">= 0.85"), attrs.evolve(AUC, value=0.84996))
    assert "is 0.84996 (n 17196), under the bound >= 0.85." in verdict.reason
    assert "raise it by 4e-05" in verdict.change


def test_no_bounds_refuse() -> None:
    """A policy that asks nothing releases nothing."""
    (verdict,) = judge(dossier_of(AUC), TODAY)
    assert (verdict.decision, verdict.subject) == ("refuse", "policy.bounds")


def test_origin_that_the_policy_does_not_allow() -> None:
    """A model from elsewhere is refused where the policy wants models trained here."""
    policy = Policy(origins=("trained",), bounds=(bound_of(">= 0.85"),))
    verdicts = judge(dossier_of(AUC, policy=policy, origin="external"), TODAY)
    assert [(v.decision, v.subject) for v in verdicts[1:]] == [("refuse", "origin")]
    assert len(judge(dossier_of(AUC, policy=policy), TODAY)) == 1


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("", False),
        ("2026-11-23", False),
        ("2027-06-30", False),
        ("2026-11-22", True),
        ("next summer", True),
        ("2026-02-30", True),
    ],
)
def test_review_by(text: str, *, refused: bool) -> None:
    """A review-by date that is past, or is none, refuses."""
    dossier = dossier_of(AUC, bounds=(bound_of(">= 0.85"),), facts=ModelFacts(review_by=text))
    found = [v.decision for v in judge(dossier, TODAY) if v.subject == "model.review_by"]
    assert found == (["refuse"] if refused else [])


def test_hook_judges_by_todays_date() -> None:
    """The hook takes the day from the clock, in UTC."""
    day, found = "", list[str]()
    while day != (today := datetime.now(UTC).date().isoformat()):  # midnight may be in between
        day = today
        dossier = dossier_of(AUC, bounds=(bound_of(">= 0.85"),), facts=ModelFacts(review_by=day))
        found = [verdict.decision for verdict in PolicyGate().review(dossier)]
    assert found == ["approve"]


finite = st.floats(allow_nan=False, allow_infinity=False, width=32)
makers = st.sampled_from(["validate-metrics", "validate-fairness", "govern-metrics", "project"])
measured = st.builds(
    Check,
    name=st.sampled_from(["roc_auc", "f1"]),
    value=st.none() | finite,
    low=st.none() | finite,
    high=st.none() | finite,
    n=st.none() | st.integers(0, 10),
    undersized=st.just(()) | st.just(("SEX=1",)),
    reason=st.just("because"),
    maker=st.none() | st.builds(Maker, plugin=makers, version=st.just("1")),
)
asked = st.builds(
    Bound,
    key=st.sampled_from(["metrics.roc_auc", "metrics.f1", "project.f1", "f1"]),
    op=st.sampled_from([">=", "<=", ">", "<", "=="]),
    limit=finite,
    severity=st.sampled_from(["refuse", "explain"]),
    on=st.sampled_from(["value", "interval"]),
    included=st.booleans(),
)


@given(st.lists(measured, max_size=5), st.lists(asked, max_size=4))
def test_nothing_is_approved_unproven(checks: list[Check], bounds: list[Bound]) -> None:
    """An approval means: every check that counts is there, holds, and leaves no group out."""
    verdicts = judge(dossier_of(*checks, bounds=tuple(bounds)), TODAY)
    assert len(verdicts) == max(1, len(bounds))
    for bound, verdict in zip(bounds, verdicts, strict=False):
        assert verdict.subject == bound.key
        if verdict.decision != "approve":
            assert verdict.change
            continue
        counting = [
            check
            for check in checks
            if check.key == bound.key
            and (
                not bound.included
                or (check.maker is not None and check.maker.plugin.startswith("validate-"))
            )
        ]
        assert counting
        for check in counting:
            assert bound.holds(bound.compared(check))
            assert not check.undersized
            assert check.value is not None


class TestPolicyGate(GovernSuite):
    """Every promise that the contract makes of governance."""

    @pytest.fixture
    def plugin(self):
        return PolicyGate()
