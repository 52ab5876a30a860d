"""From verdicts to an outcome: closed unless proven open."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from interlock.lifecycle.decision import Objection, decide_outcome
from interlock_hookspecs import (
    Approval,
    Artifact,
    Bound,
    Dossier,
    Maker,
    Model,
    Policy,
    Signature,
    Verdict,
)

ZERO = "sha256:" + "0" * 64
ONE = "sha256:" + "1" * 64
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOUND = Bound(key="metrics.roc_auc", op=">=", limit=0.85)


def dossier(**changes):
    model = Model(
        format="skops",
        artifact=Artifact(digest=ZERO, size=1, name="m"),
        signature=Signature(kind="binary", inputs=(), outputs=()),
    )
    policy = Policy(bounds=(BOUND,), approvals=changes.pop("approvals_needed", 0))
    given = {"policy": policy, "checks": (), **changes}
    return Dossier(
        digest=ZERO, run="r", project="p", stack="s", model=model, data=ZERO, code=ZERO,
        threshold=0.5, **given,
    )  # fmt: skip


def verdict(decision="approve", subject="metrics.roc_auc", plugin="govern-policy"):
    maker = Maker(plugin=plugin, version="1")
    return Verdict(decision=decision, subject=subject, reason=f"{subject} {decision}", maker=maker)


def approval(**changes):
    given = {"id": "a", "dossier": ZERO, "decision": "approve", "reason": "r", "actor": "ana"}
    return Approval(at=NOW, **{**given, **changes})


def outcome(dossier_, *verdicts):
    return decide_outcome(dossier_, verdicts, NOW).outcome


def test_every_bound_judged_and_held_releases():
    """The one way through."""
    assert outcome(dossier(), verdict()) == "released"


@pytest.mark.parametrize(
    ("given", "verdicts"),
    [
        (dossier(), ()),
        (dossier(policy=Policy()), (verdict(),)),
        (dossier(), (verdict(subject="something.else"),)),
        (dossier(), (verdict(), verdict("refuse", "x"))),
        (dossier(policy=Policy(bounds=(BOUND, BOUND))), (verdict(),)),
        (dossier(policy=Policy(bounds=(BOUND,), govern=("risk",))), (verdict(),)),
        (dossier(approvals=(approval(decision="reject"),)), (verdict(),)),
    ],
    ids=[
        "no verdict", "no bounds", "bound not judged", "one refuses", "one of two bounds judged",
        "required plugin silent", "a person said no",
    ],
)  # fmt: skip
def test_anything_missing_refuses(given, verdicts):
    """all([]) is True; here nothing said is nothing released."""
    assert outcome(given, *verdicts) == "refused"


def test_explain_waits_for_a_reason_and_a_reason_covers_it():
    """An explain verdict passes with a person's approval of exactly this dossier."""
    explain = verdict("explain")
    assert outcome(dossier(), explain) == "waiting"
    assert outcome(dossier(approvals=(approval(),)), explain) == "released"


@pytest.mark.parametrize(
    "void",
    [
        approval(dossier=ONE),
        approval(expires=NOW),
        approval(expires=NOW - timedelta(days=1)),
        approval(self_approved=True),
    ],
    ids=["another dossier", "expires now", "expired", "own run"],
)
def test_an_approval_that_does_not_hold_opens_nothing(void):
    """Another dossier's, an expired one, and one's own do not count."""
    assert outcome(dossier(approvals=(void,)), verdict("explain")) == "waiting"
    assert outcome(dossier(approvals=(void,), approvals_needed=1), verdict()) == "waiting"


def test_approvals_are_counted_by_person():
    """One person who approves twice is one person."""
    twice = (approval(), approval(id="b"))
    assert outcome(dossier(approvals=twice, approvals_needed=2), verdict()) == "waiting"
    both = (approval(), approval(id="b", actor="ben"))
    assert outcome(dossier(approvals=both, approvals_needed=2), verdict()) == "released"


OBJECTION = Objection(text="ben rejected this model before", at=NOW)


def test_a_changed_dossier_does_not_wash_an_objection_away():
    """What was said against the model waits for an approval that was given since."""
    held = decide_outcome(dossier(), (verdict(),), NOW, (OBJECTION,))
    assert (held.outcome, held.reasons) == ("waiting", ("ben rejected this model before",))
    older = dossier(approvals=(approval(),))
    assert decide_outcome(older, (verdict(),), NOW, (OBJECTION,)).outcome == "waiting"
    since = Approval(
        id="b", dossier=ZERO, decision="approve", reason="mended", actor="ana",
        at=NOW + timedelta(seconds=1),
    )  # fmt: skip
    answered = dossier(approvals=(since,))
    assert decide_outcome(answered, (verdict(),), NOW, (OBJECTION,)).outcome == "released"


def test_of_one_person_the_last_word_counts():
    """Who approves and then rejects has rejected; who rejects and then approves has approved."""
    yes, no = approval(), approval(id="b", decision="reject")
    assert outcome(dossier(approvals=(yes, no)), verdict()) == "refused"
    assert outcome(dossier(approvals=(no, yes)), verdict("explain")) == "released"


def test_a_refusal_wins_over_waiting():
    """What is refused does not wait."""
    assert outcome(dossier(), verdict("explain"), verdict("refuse", "x")) == "refused"


def test_self_approval_counts_where_the_policy_says_so():
    """The switch is the policy's."""
    policy = attrs.evolve(dossier().policy, approvals=1, self_approval=True)
    own = dossier(policy=policy, approvals=(approval(self_approved=True),))
    assert outcome(own, verdict()) == "released"
