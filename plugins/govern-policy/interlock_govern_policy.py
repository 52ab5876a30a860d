"""Judges a dossier by the bounds of its policy. What was not measured does not pass."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from interlock_hookspecs import Bound, Check, Dossier, Verdict, hookimpl, plugin

_WORSE = {"refuse": 0, "explain": 1, "approve": 2}
_SUGGESTIONS = 3
_DECIMALS = range(3, 17)
_GROUPS_NAMED = 5


@plugin(contract="1.0")
class PolicyGate:
    """One verdict for each bound, and a refusal for what the policy never allows."""

    @hookimpl
    def review(self, dossier: Dossier) -> tuple[Verdict, ...]:
        return judge(dossier, datetime.now(UTC).date())


def judge(dossier: Dossier, today: date) -> tuple[Verdict, ...]:
    """The verdicts of a dossier, on a day.

    In order: one for each bound of the policy, under the bound's key; then refusals under
    ``policy.bounds`` (there is none), ``origin`` and ``model.review_by``, where they apply.

    Args:
        dossier: with its checks and the policy.
        today: in UTC; a model whose review-by date is before it is refused.
    """
    policy = dossier.policy
    verdicts = [
        judge_bound(bound, dossier.checks, min_group=policy.min_group) for bound in policy.bounds
    ]
    if not policy.bounds:
        verdicts.append(
            Verdict(
                decision="refuse",
                subject="policy.bounds",
                reason="the policy has no bounds, so nothing is asked of this model.",
                change='write at least one under [policy.bounds], as "metrics.roc_auc" = ">= 0.8".',
            )
        )
    if dossier.origin not in policy.origins:
        allowed = ", ".join(policy.origins) or "none"
        verdicts.append(
            Verdict(
                decision="refuse",
                subject="origin",
                reason=f"the model is {dossier.origin}; the policy allows: {allowed}.",
                change="train it here, or ask the policy's owner to allow this origin.",
            )
        )
    return (*verdicts, *_review_by(dossier.facts.review_by, today))


def judge_bound(bound: Bound, checks: Iterable[Check], *, min_group: int) -> Verdict:
    """The verdict of one bound: of several checks under its key the worst counts.

    Args:
        bound: what is asked.
        checks: all that was measured.
        min_group: rows under which a group counts as unmeasured, for the reason's words.
    """
    measured = tuple(checks)
    named = [check for check in measured if check.key == bound.key]
    counting = [check for check in named if _counts(bound, check)]
    if not counting:
        return _unmeasured(bound, named, measured)
    judged = [(_judge_check(bound, check, min_group), _slack(bound, check)) for check in counting]
    verdict, _ = min(judged, key=lambda pair: (_WORSE[pair[0].decision], pair[1]))
    return verdict


def _counts(bound: Bound, check: Check) -> bool:
    """A platform's bound takes the word of the validate plugin that it names, and no other's.

    A project can name a plugin of another role, or its module's checks, by the same word.
    """
    if not bound.included:
        return True
    word = bound.key.partition(".")[0]
    return check.maker is not None and check.maker.plugin == f"validate-{word}"


def _unmeasured(bound: Bound, named: list[Check], measured: tuple[Check, ...]) -> Verdict:
    word = bound.key.partition(".")[0]
    if named:
        makers = ", ".join(sorted({_maker(check) for check in named}))
        return _refusal(
            bound,
            f"{bound.key} was measured by {makers} only, and an included bound counts "
            f"validate-{word} alone.",
            change=f'name "{word}" under validate in the stack.',
        )
    near = _nearest(bound.key, {check.key for check in measured})
    return _refusal(
        bound,
        f"nobody measured {bound.key}, which the policy bounds at {bound.text}.",
        change=(
            f"the nearest that was measured: {', '.join(near)}."
            if near
            else f"name the plugin that measures it under validate in the stack: {word}?"
        ),
    )


def _nearest(key: str, measured: set[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(key, sorted(measured), n=_SUGGESTIONS)


def _maker(check: Check) -> str:
    if check.maker is None:
        return "nobody known"
    return "the project's module" if check.maker.plugin == "project" else check.maker.plugin


def _judge_check(bound: Bound, check: Check, min_group: int) -> Verdict:
    if check.value is None:
        reason = f"{bound.key} has no value: {check.reason.rstrip('.')}."
        return _refusal(bound, reason, check, change="measure it, then review again.")
    compared = bound.compared(check)
    if compared is None:
        return _refusal(
            bound,
            f"{bound.key} has no interval (n {_n(check)}), and the bound compares its worse end.",
            check,
            change='use a check that has an interval, or say on = "value".',
        )
    held = bound.holds(compared)
    found = _found(bound, check, compared)
    against = f"{'within' if held else _beyond(bound)} the bound {bound.text}"
    if check.undersized:
        groups = _listed(check.undersized)
        return Verdict(
            decision="explain",
            subject=bound.key,
            check=check.key,
            reason=f"{found}, {against}, without groups of under {min_group} rows: {groups}.",
            change=f"a person approves with a reason, or hold out more rows of {groups}.",
        )
    if held:
        return Verdict(
            decision="approve", subject=bound.key, check=check.key, reason=f"{found}, {against}."
        )
    return Verdict(
        decision=bound.severity,
        subject=bound.key,
        check=check.key,
        reason=f"{found}, {against}.",
        change=_remedy(bound, compared),
    )


def _refusal(bound: Bound, reason: str, check: Check | None = None, *, change: str) -> Verdict:
    return Verdict(
        decision="refuse",
        subject=bound.key,
        reason=reason,
        check=check.key if check else "",
        change=change,
    )


def _found(bound: Bound, check: Check, compared: float) -> str:
    number = _number(bound, compared)
    if bound.on == "value":
        return f"{bound.key} is {number} (n {_n(check)})"
    end = "low" if compared == check.low else "high"
    return (
        f"the {end} end of {bound.key}'s {check.level:.0%} interval is {number} "
        f"(value {check.value:.3f}, n {_n(check)})"
    )


def _number(bound: Bound, value: float) -> str:
    """Three decimals, or as many as it takes to be on the same side of the bound as the value."""
    held = bound.holds(value)
    for decimals in _DECIMALS:
        text = f"{value:.{decimals}f}"
        if bound.holds(float(text)) == held:
            return text
    return repr(value)


def _n(check: Check) -> str:
    return "unknown" if check.n is None else str(check.n)


def _beyond(bound: Bound) -> str:
    return {">=": "under", ">": "not over", "<=": "over", "<": "not under", "==": "off"}[bound.op]


def _listed(groups: tuple[str, ...]) -> str:
    shown = ", ".join(groups[:_GROUPS_NAMED])
    more = len(groups) - _GROUPS_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _remedy(bound: Bound, compared: float) -> str:
    gap = abs(compared - bound.limit)
    amount = f"{gap:.3f}" if gap >= 10 ** -_DECIMALS[0] else f"{gap:.1g}"
    step = {
        ">=": f"raise it by {amount}",
        ">": f"raise it by more than {amount}",
        "<=": f"lower it by {amount}",
        "<": f"lower it by more than {amount}",
        "==": f"move it by {amount}",
    }[bound.op]
    if bound.severity == "explain":
        return f"a person approves with a reason, or {step}."
    whose = "the included policy" if bound.included else "the project's policy"
    return f"{step}, or ask the owner of {whose} to change the bound."


def _slack(bound: Bound, check: Check) -> float:
    """How far inside the bound a check is; negative outside. Without a value: farthest outside."""
    compared = bound.compared(check)
    if compared is None:
        return float("-inf")
    distance = compared - bound.limit
    if bound.op in (">", ">="):
        return distance
    return -distance if bound.op in ("<", "<=") else -abs(distance)


def _review_by(text: str, today: date) -> tuple[Verdict, ...]:
    if not text:
        return ()
    try:
        due = date.fromisoformat(text)
    except ValueError:
        reason = f"[model] review_by is {text!r}, which is no date."
        change = "write it as year, month and day: 2027-06-30."
    else:
        if due >= today:
            return ()
        days = (today - due).days
        reason = f"the model was to be reviewed by {due.isoformat()}, {days} days ago."
        change = "review what the model is for, then set a later [model] review_by."
    return (Verdict(decision="refuse", subject="model.review_by", reason=reason, change=change),)
