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


@attrs.frozen(kw_only=True)
class Objection:
    """What a person said against the model itself, whichever dossier they had before them.

    Attributes:
        text: one sentence: who, what and why.
        at: when; an approval given after it answers it.
    """

    text: str
    at: datetime


def decide_outcome(
    dossier: Dossier,
    verdicts: tuple[Verdict, ...],
    now: datetime,
    objections: tuple[Objection, ...] = (),
) -> Outcome:
    """Released only where everything asked for is there; anything missing refuses.

    Refused: no bounds, no verdict, a required plugin that gave none, a bound that nobody
    judged, any refusal, a person's rejection. Waiting: a verdict ``explain``, fewer approvals
    than the policy asks for, or an objection that no later approval answers. A refusal wins over
    waiting; of one person the last word counts.

    Args:
        dossier: with the policy, and the approvals given to exactly this digest, oldest first.
        verdicts: from every ``review``.
        now: an aware time; expired approvals do not count.
        objections: rejections of other dossiers of this model, and revocations of its releases.
    """
    said = {word.actor: word for word in dossier.approvals if word.dossier == dossier.digest}
    refusals = [*_missing(dossier, verdicts)]
    refusals += [verdict.reason for verdict in verdicts if verdict.decision == "refuse"]
    refusals += [
        f"{word.actor} rejected it: {word.reason}"
        for word in said.values()
        if word.decision == "reject"
    ]
    if refusals:
        return Outcome(outcome=REFUSED, reasons=tuple(refusals))
    counting = tuple(word for word in said.values() if _counts(word, dossier, now))
    waits = [] if counting else [v.reason for v in verdicts if v.decision == "explain"]
    waits += [
        objection.text
        for objection in objections
        if not any(word.at > objection.at for word in counting)
    ]
    if len(counting) < dossier.policy.approvals:
        waits.append(f"{len(counting)} of {dossier.policy.approvals} approvals given")
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
    # The project's own word does not stand for what an included policy asks.
    by_others = Counter(v.subject for v in verdicts if v.maker and v.maker.plugin != "project")
    asked = Counter(bound.key for bound in dossier.policy.bounds)
    silent = [
        f"the policy requires a verdict of govern {word!r}, which gave none"
        for word in dossier.policy.govern
        if word not in makers
    ]
    unjudged = [
        f"nobody judged the bound {bound.key} {bound.text}"
        for bound in dossier.policy.bounds
        if (by_others if bound.included else judged)[bound.key] < asked[bound.key]
    ]
    return silent + unjudged


def _counts(word: Approval, dossier: Dossier, now: datetime) -> bool:
    return (
        word.decision == "approve"
        and (word.expires is None or now < word.expires)
        and (dossier.policy.self_approval or not word.self_approved)
    )
