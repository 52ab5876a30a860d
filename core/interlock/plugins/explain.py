"""Who answered a hook in a run, and why: told from the calls that were kept and from the rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from interlock.plugins.funnel import Funnel
from interlock.plugins.trace import Step
from interlock_hookspecs import SENTENCES
from interlock_hookspecs.form import contract


def explain_hook(hook: str, steps: Iterable[Step], funnel: Funnel) -> dict[str, Any]:
    """Every time that a hook was asked.

    Returns:
        JSON values: hook, rule, sentence, implemented_by (in stack order) and questions. A
        question has ``times`` (how often it went the same way), ``stages``, ``asked`` (plugin,
        answer and error, in the order of asking), ``not_asked``, ``named_by`` (for an owner) and
        ``why``.
    """
    spec = contract()[hook]
    makers = [str(maker) for maker in funnel.makers(hook)]
    told: dict[Any, dict[str, Any]] = {}
    for asked in _questions([step for step in steps if step.hook == hook], makers, spec.rule):
        question = _question(asked, makers, spec.rule)
        same = repr({key: value for key, value in question.items() if key != "stages"})
        known = told.setdefault(same, {"times": 0, **question})
        known["times"] += 1
        known["stages"] = sorted({*known["stages"], *question["stages"]})
    return {
        "hook": hook,
        "rule": spec.rule,
        "sentence": SENTENCES[spec.rule],
        "implemented_by": makers,
        "questions": list(told.values()),
    }


def _questions(
    steps: Sequence[Step], makers: Sequence[str], rule: str
) -> Iterator[tuple[Step, ...]]:
    """The calls of each question together.

    Whoever asks several begins with the first of the stack, and asks in one thread: so that is
    where a question begins.
    """
    under_way: dict[int, list[Step]] = {}
    for step in steps:
        alone = rule in ("one", "owner")
        if (alone or str(step.maker) == makers[0]) and step.thread in under_way:
            yield tuple(under_way.pop(step.thread))
        under_way.setdefault(step.thread, []).append(step)
    yield from map(tuple, under_way.values())


def _question(asked: Sequence[Step], makers: Sequence[str], rule: str) -> dict[str, Any]:
    names = [str(step.maker) for step in asked]
    last = asked[-1]
    return {
        "stages": sorted({step.stage for step in asked if step.stage}),
        "asked": [
            {"plugin": str(step.maker), "answer": _answer(step.gave), "error": step.error}
            for step in asked
        ],
        "not_asked": [maker for maker in makers if maker not in names],
        "named_by": last.subject if rule == "owner" else None,
        "why": _why(asked, makers, rule),
    }


def _answer(gave: Mapping[str, Any] | None) -> str | None:
    """What came back, in a word; None where nothing did."""
    if gave is None:
        return None
    kind = str(gave["type"]).replace("NoneType", "None")
    return f"{kind} of {gave['items']}" if "items" in gave else kind


def _why(asked: Sequence[Step], makers: Sequence[str], rule: str) -> str:
    last = asked[-1]
    name = str(last.maker)
    if last.error and rule != "observe":
        later = ", so that those after it were not asked" if name in makers[:-1] else ""
        return f"{name} failed{later if rule in ('first', 'every') else ''}"
    match rule:
        case "one":
            return f"{name} is the only one of the stack that implements it"
        case "first" if _answer(last.gave) == "None":
            return "nobody answered: each gave None"
        case "first":
            return f"{name} was the first in stack order to give something other than None"
        case "every":
            return "all that implement it are asked; their lists are joined"
        case "owner":
            where = "" if name in makers else ", and is asked though this stack does not name it"
            return f"{name} is whom the first argument names{where}"
    return "all that implement it are told"
