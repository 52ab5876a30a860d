"""What the funnel costs: ten implementers through it, less the same ten called directly.

Type check, timing, provenance and ordering are on.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

from timing import Result, finish

from interlock.plugins.funnel import Funnel, Member
from interlock_hookspecs import Check, Maker, hookimpl

CALLS = 2_000
BOUND_MICROSECONDS = 20.0


class Implementer:
    """Answers with one record."""

    @hookimpl
    def check_data(self, rows: Any, task: Any, reference: Any) -> list[Check]:  # noqa: ARG002  (the hook's arguments)
        """One record, whatever the rows."""
        return [Check(name="rows", value=1.0)]


def microseconds(call: Callable[[], object]) -> float:
    """The median time of one call."""
    times = []
    for _ in range(CALLS):
        started = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - started)
    return statistics.median(times) / 1_000


def main() -> None:
    """Measure rounds of both, and hold the difference against its bound."""
    members = [
        Member(maker=Maker(plugin=f"validate-{place}", version="1"), plugin=Implementer())
        for place in range(10)
    ]
    funnel = Funnel(members)
    functions = [member.plugin.check_data for member in members]

    def through() -> None:
        funnel.every("check_data", rows=None, task=None, reference=None)

    def directly() -> None:
        for function in functions:
            function(None, None, None)

    rounds = [(microseconds(through), microseconds(directly)) for _ in range(7)]
    overhead = statistics.median(ours - theirs for ours, theirs in rounds[1:])
    ours, theirs = (statistics.median(side) for side in zip(*rounds[1:], strict=True))
    finish(
        Result(
            name="the funnel over ten plugins, less the ten calls",
            value=overhead,
            unit="us",
            bound=BOUND_MICROSECONDS,
            medians=f"{ours:.1f} us, {theirs:.1f} us directly",
        )
    )


if __name__ == "__main__":
    main()
