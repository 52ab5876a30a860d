"""From verdicts to an outcome: closed unless proven open."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import attrs

from interlock_hookspecs import Approval, Dossier, Verdict

RELEASED = "released"
REFUSED = "refused"
WAITING = "waiting"


@attrs.frozen(kw_only=True)
class Outcome:
    """What core makes of the verdicts.

    Attributes:
        outcome: ``released``, ``refused`` or ``waiting``.
        reasons: why, one sentence each; for ``waiting`` what a person has to decide.
        approvals: the approvals that count.
    """

    outcome: str
    reasons: tuple[str, ...]
    approvals: tuple[Approval, ...] = ()


def decide_outcome(dossier: Dossier, verdicts: tuple[Verdict, ...], now: datetime) -> Outcome:
    """Released only where everything asked for is there; anything missing refuses.

    Refused: no bounds, no verdict, a required plugin that gave none, a bound that nobody
    judged, any refusal, a person's rejection. Waiting: a verdict ``explain``, or fewer approvals
    than the policy asks for. A refusal wins over waiting.

    Args:
        dossier: with the policy, and the approvals given to exactly this digest.
        verdicts: from every ``review``.
        now: an aware time; expired approvals do not count.
    """
    refusals = [*_missing(dossier, verdicts)]
    refusals += [verdict.reason for verdict in verdicts if verdict.decision == "refuse"]
    counting = _counting(dossier, now)
    refusals += [
        f"{approval.actor} rejected it: {approval.reason}"
        for approval in dossier.approvals
        if approval.decision == "reject" and approval.dossier == dossier.digest
    ]
    if refusals:
        return Outcome(outcome=REFUSED, reasons=tuple(refusals))
    waits = [] if counting else [v.reason for v in verdicts if v.decision == "explain"]
    people = {approval.actor for approval in counting}
    if len(people) < dossier.policy.approvals:
        waits.append(f"{len(people)} of {dossier.policy.approvals} approvals given")
    if waits:
        return Outcome(outcome=WAITING, reasons=tuple(waits), approvals=counting)
    return Outcome(
        outcome=RELEASED,
        reasons=tuple(verdict.reason for verdict in verdicts),
        approvals=counting,
    )


def _missing(dossier: Dossier, verdicts: tuple[Verdict, ...]) -> list[str]:
    if not dossier.policy.bounds:
        return ["the policy has no bounds: a model that nothing is asked of is not released"]
    if not verdicts:
        return ["no plugin of govern gave a verdict"]
    makers = {verdict.maker.word for verdict in verdicts if verdict.maker}
    judged = Counter(verdict.subject for verdict in verdicts)
    asked = Counter(bound.key for bound in dossier.policy.bounds)
    silent = [
        f"the policy requires a verdict of govern {word!r}, which gave none"
        for word in dossier.policy.govern
        if word not in makers
    ]
    unjudged = [
        f"nobody judged the bound {bound.key} {bound.text}"
        for bound in dossier.policy.bounds
        if judged[bound.key] < asked[bound.key]
    ]
    return silent + unjudged


def _counting(dossier: Dossier, now: datetime) -> tuple[Approval, ...]:
    return tuple(
        approval
        for approval in dossier.approvals
        if approval.decision == "approve"
        and approval.dossier == dossier.digest
        and (approval.expires is None or now < approval.expires)
        and (dossier.policy.self_approval or not approval.self_approved)
    )
