"""What several workers say of one endpoint, as one says it. Pure functions over plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock_serving.workers.totals import Total

Plain = dict[str, Any]


def readiness(own: Plain, others: Sequence[Plain], total: Total, starting: int) -> Plain:
    """The readiness of an endpoint out of its workers'.

    It is ready where every worker that answers is; it serves what all of them serve.

    Args:
        own: of the worker that is asked, now.
        others: of its peers, as they last said.
        total: what the endpoint counted.
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
        **counted(total, all_),
        "ready": all(each["ready"] for each in all_),
        "serving": serving,
        "problem": "; ".join(problems),
        "workers": sorted(each["pid"] for each in all_),
    }


def counted(total: Total, states: Sequence[Plain]) -> Plain:
    """What readiness says of an endpoint's counts.

    Args:
        total: these counts.
        states: the readiness of each worker.
    """
    return {
        "captures_lost": total.lost,
        "mirrors_skipped": total.skipped,
        "traffic": total.traffic(states),
    }
