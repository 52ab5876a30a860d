"""Verdicts with what they are about: the bound and the check, side by side."""

from __future__ import annotations

from collections import Counter

import attrs

from interlock_hookspecs import Bound, Check, Dossier, Verdict

ORDER = ("refuse", "explain", "approve")
"""What a reader must see first comes first."""


@attrs.frozen(kw_only=True)
class Judgement:
    """A verdict, the bound that it judges and the check that it rests on, where there are such."""

    verdict: Verdict
    bound: Bound | None = None
    check: Check | None = None


def judgements_of(dossier: Dossier, verdicts: tuple[Verdict, ...]) -> tuple[Judgement, ...]:
    """The verdicts with their bounds and checks; refusals first, else in the order given.

    A maker judges the bounds of one key in the policy's order.
    """
    seen: Counter[tuple[str, str]] = Counter()
    judged = []
    for verdict in verdicts:
        bounds = [bound for bound in dossier.policy.bounds if bound.key == verdict.subject]
        place = (str(verdict.maker), verdict.subject)
        bound = bounds[seen[place]] if seen[place] < len(bounds) else None
        seen[place] += 1
        judged.append(
            Judgement(verdict=verdict, bound=bound, check=_check(dossier, verdict, bound))
        )
    return tuple(sorted(judged, key=lambda item: ORDER.index(item.verdict.decision)))


def _check(dossier: Dossier, verdict: Verdict, bound: Bound | None) -> Check | None:
    """The check that a verdict names; of several the one that does not hold."""
    named = [check for check in dossier.checks if check.key == verdict.check]
    if bound is not None:
        named.sort(key=lambda check: bound.holds(bound.compared(check)))
    return named[0] if named else None


def headline(judgements: tuple[Judgement, ...]) -> tuple[str, str]:
    """The gravest decision and one sentence on all of them."""
    counts = Counter(item.verdict.decision for item in judgements)
    total = len(judgements)
    if not total:
        return "refuse", "Nobody judged this model"
    if counts["refuse"]:
        return "refuse", f"{counts['refuse']} of {total} verdicts refuse this model"
    if counts["explain"]:
        return "explain", f"{counts['explain']} of {total} verdicts ask a person for a reason"
    return "approve", "The verdict approves" if total == 1 else f"All {total} verdicts approve"
