"""What several workers say of one endpoint, as one says it. Pure functions over plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Plain = dict[str, Any]


def readiness(own: Plain, others: Sequence[Plain], past: Plain, starting: int) -> Plain:
    """The readiness of an endpoint out of its workers'.

    It is ready where every worker that answers is; it serves what all of them serve.

    Args:
        own: of the worker that is asked, now.
        others: of its peers, as they last said.
        past: what workers counted that are gone: ``traffic``, captures ``lost`` that none who is
            here counts, and mirrors ``skipped``.
        starting: how many workers are not there yet, or again.
    """
    all_ = [own, *others]
    problems = dict.fromkeys(each["problem"] for each in all_ if each["problem"])
    if starting:
        problems[f"workers that are being started: {starting} of {len(all_) + starting}"] = None
    serving = [
        release
        for release in own["serving"]
        if all(release in other["serving"] for other in others)
    ]
    return {
        **own,
        "ready": all(each["ready"] for each in all_),
        "serving": serving,
        "problem": "; ".join(problems),
        "captures_lost": past["lost"] + sum(each["captures_lost"] for each in all_),
        "mirrors_skipped": past["skipped"] + sum(each["mirrors_skipped"] for each in all_),
        "traffic": traffic([*(each["traffic"] for each in all_), past["traffic"]]),
        "workers": sorted(each["pid"] for each in all_),
    }


def traffic(counts: Iterable[Sequence[Plain]]) -> list[Plain]:
    """The counts of each release, added up; its weight is as the first says."""
    found: dict[tuple[str, bool], Plain] = {}
    for said in counts:
        for each in said:
            key = each["release"], each["mirror"]
            before = found.get(key)
            found[key] = dict(each) if before is None else _added(before, each)
    return list(found.values())


def added(one: Any, other: Any) -> Any:
    """Counts of any shape, added up: numbers, rows of them, and either by name.

    >>> added({"a": 1, "b": [1, 2]}, {"b": [0, 3], "c": {"d": 4}})
    {'a': 1, 'b': [1, 5], 'c': {'d': 4}}
    """
    if isinstance(one, dict):
        both = {name: added(one[name], other[name]) for name in one if name in other}
        return {**one, **other, **both}
    if isinstance(one, list):
        return [added(*pair) for pair in zip(one, other, strict=True)]
    return one + other


def _added(one: Plain, other: Plain) -> Plain:
    counts = ("requests", "refused", "failed", "latencies")
    summed = {name: added(one[name], other[name]) for name in counts}
    return {**one, "since": min(one["since"], other["since"]), **summed}
