"""What follows from the evidence of a step: wait, promote, hold, or roll back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from interlock.stack.rollout import RolloutBound, RolloutPlan

SURE = 0.999
"""The coverage of the intervals by which a breach is sure before a step has been watched for its
window. It is looked at again and again, so 0.95 would break a good release by chance."""

_LEAST = 20
"""Rows or requests below which nothing is sure: one failure of one request says little, and so does
one burst of a client, of which a server may give all to one release."""


@attrs.frozen(kw_only=True)
class Evidence:
    """One thing that was measured of the new release in a step.

    Attributes:
        key: as bounds name it.
        value: None where it could not be measured, then ``reason`` says why.
        n: the rows or requests that it rests on.
        low, high: the ends of its interval at `SURE`, where one is known.
    """

    key: str
    value: float | None = None
    n: int = 0
    low: float | None = None
    high: float | None = None
    reason: str = ""


@attrs.frozen(kw_only=True)
class Seen:
    """What was seen of the new release in a step until now.

    Attributes:
        seconds: since the step was entered.
        requests: that it was given in the step.
        evidence: by key, for every bound of the plan.
    """

    seconds: float
    requests: int
    evidence: Mapping[str, Evidence]


@attrs.frozen(kw_only=True)
class Decision:
    """What is to be done.

    Attributes:
        word: ``wait``, ``promote``, ``hold`` or ``rollback``.
        reason: one sentence.
    """

    word: str
    reason: str


def judge(plan: RolloutPlan, seen: Seen, *, last: bool) -> Decision:
    """Hold the evidence of a step against the bounds of its plan.

    A bound that is surely broken ends the step at once: its whole interval lies outside. One that
    is broken by its value ends it when the step was watched for its window and its requests. What
    is neither measured nor excused makes it wait, and hold when patience is out.

    Args:
        plan: the bounds, and how long to watch.
        seen: what was measured.
        last: whether nothing comes after this step.
    """
    enough = not plan.bounds or seen.requests >= plan.min_requests
    ripe = enough and seen.seconds >= plan.window
    broken = [
        bound for bound in plan.bounds if _is_broken(bound, seen.evidence[bound.key], ripe=ripe)
    ]
    for word in ("rollback", "hold"):
        found = [bound for bound in broken if bound.breach == word]
        if found:
            return Decision(word=word, reason=_told(found, seen))
    missing = [
        bound
        for bound in plan.bounds
        if bound.missing == "wait" and seen.evidence[bound.key].value is None
    ]
    if ripe and not missing:
        if last and plan.finish == "hold":
            return Decision(word="hold", reason="every bound holds: a person finishes it")
        return Decision(word="promote", reason=_all_well(plan, seen))
    lacking = _lacking(plan, seen, missing, enough=enough)
    if seen.seconds >= plan.patience:
        return Decision(word="hold", reason=f"{lacking} after {seen.seconds:.0f} s")
    return Decision(word="wait", reason=lacking)


def _is_broken(bound: RolloutBound, found: Evidence, *, ripe: bool) -> bool:
    if found.value is None or bound.holds(found.value):
        return False
    if ripe:
        return True
    ends = (found.low, found.high)
    return found.n >= _LEAST and None not in ends and not any(map(bound.holds, ends))


def _told(broken: list[RolloutBound], seen: Seen) -> str:
    return "; ".join(
        f"{bound.key} is {seen.evidence[bound.key].value:.4g} "
        f"(n = {seen.evidence[bound.key].n}): the bound is {bound.text}"
        for bound in broken
    )


def _all_well(plan: RolloutPlan, seen: Seen) -> str:
    count = len(plan.bounds)
    what = f"{count} bound{'s' * (count != 1)} held" if count else "nothing was to be judged"
    return f"{what} for {seen.seconds:.0f} s and {seen.requests} requests"


def _lacking(plan: RolloutPlan, seen: Seen, missing: list[RolloutBound], *, enough: bool) -> str:
    if not enough:
        return f"{seen.requests} of {plan.min_requests} requests came"
    if missing:
        said = (f"{one.key}: {seen.evidence[one.key].reason}" for one in missing)
        return f"there is no evidence of {'; '.join(said)}"
    return f"watched for {seen.seconds:.0f} of {plan.window:.0f} s"


def lines(plan: RolloutPlan, seen: Seen) -> list[dict[str, Any]]:
    """The evidence with its bounds as JSON values, for the ledger and for listings."""
    return [
        {**attrs.asdict(seen.evidence[bound.key]), "bound": bound.text, "breach": bound.breach,
         "holds": None if seen.evidence[bound.key].value is None
         else bound.holds(seen.evidence[bound.key].value)}
        for bound in plan.bounds
    ]  # fmt: skip
