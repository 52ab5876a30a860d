"""Performance: how right a served model's answers were, as the labels of a window arrive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Bound,
    Check,
    Facts,
    Finding,
    InvalidInput,
    Task,
    Window,
    hookimpl,
    parse_bound,
    plugin,
    setting,
)
from interlock_monitor_performance.measured import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

COVERAGE = "labelled"
"""The finding that says how much of a window has labels."""
_MEASURES = {kind: (COVERAGE, *names) for kind, names in METRICS.items()}


def _bounds(_instance: object, _attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    from interlock_monitor_performance.measured import LARGER_IS_BETTER

    for metric, text in value.items():
        if metric not in LARGER_IS_BETTER:
            msg = f"{metric!r} is no measure{_nearest(metric, LARGER_IS_BETTER)}"
            raise ValueError(msg)
        try:
            op, _ = parse_bound(text)
        except ValueError as error:
            msg = f"{metric}: {error}"
            raise ValueError(msg) from error
        if op == "==":
            msg = f"{metric}: a measure is bounded from one side, never by =="
            raise ValueError(msg)


def _nearest(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f": there are {', '.join(known)}"


def _delay(_instance: object, _attribute: attrs.Attribute[Any], value: int | str) -> None:
    from interlock_monitor_performance.delay import parse_delay

    parse_delay(value)


def _at_least_one(_instance: object, _attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        msg = "expected a whole number, 1 or more"
        raise ValueError(msg)


def _share(_instance: object, _attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value < 1:
        msg = "expected a number between 0 and 1, for example 0.95"
        raise ValueError(msg)


@plugin(contract="1.0", kinds=tuple(METRICS), measures=_MEASURES)
class Performance:
    """Measures a window on the rows whose labels came, and says where a bound is broken."""

    bounds: dict[str, str] = setting(
        attrs.Factory(dict),
        doc='what a measure must keep to, for example { f1 = ">= 0.8" }; without a bound a '
        "measure is shown and raises nothing",
        validator=_bounds,
    )
    on: str = setting(
        "value",
        doc="what a bound looks at: value, or interval, the worse end of it",
        validator=attrs.validators.in_(("value", "interval")),
    )
    label_delay: int | str = setting(
        0,
        doc="how long after a window's end its labels are expected: whole periods for an integer "
        'time, else a text such as "30d" or "12h"',
        validator=_delay,
    )
    min_labelled: int = setting(
        100,
        doc="labelled rows under which nothing is measured",
        validator=_at_least_one,
    )
    level: float = setting(0.95, doc="coverage of the intervals", validator=_share)

    @hookimpl
    def measure_performance(self, window: Window, task: Task) -> tuple[Finding, ...]:
        if task.target is None:
            return ()
        from interlock_hookspecs import PREDICTION
        from interlock_monitor_performance.measured import labelled, measure

        report = partial(Finding, served=window.rows.num_rows, start=window.start, end=window.end)
        if task.kind not in METRICS:
            reason = f"measured are {', '.join(METRICS)}, and this is {task.kind}"
            return (report(name=COVERAGE, status="unmeasured", n=0, reason=reason),)
        self._known(METRICS[task.kind], task.kind)
        missing = {PREDICTION, task.target} - set(window.rows.column_names)
        if PREDICTION in missing:
            msg = f"the window has no column {PREDICTION!r}: nothing was answered"
            raise InvalidInput(msg)
        waiting = self._waiting(window)
        rows = window.rows.slice(0, 0) if missing else labelled(window.rows, task.target)
        n = rows.num_rows
        coverage = n / window.rows.num_rows if window.rows.num_rows else 0.0
        report = partial(report, facts=Facts({"labelled": n, "coverage": coverage}))
        enough = n >= self.min_labelled
        found = [_coverage(n, coverage, waiting, report)]
        if n == 0:
            return tuple(found)
        checks = measure(rows, task, self.level) if enough else self._unmeasured(task, n)
        found += [self._judged(check, waiting, report) for check in checks]
        return tuple(found)

    def _known(self, metrics: tuple[str, ...], kind: str) -> None:
        """Refuse a bound on what is not measured: it would hold for ever."""
        for name in self.bounds:
            if name not in metrics:
                msg = f"bounds: {name!r} is no measure of {kind}: there are {', '.join(metrics)}"
                raise InvalidInput(msg)

    def _waiting(self, window: Window) -> str:
        """Why the window is immature; empty where it is not."""
        from interlock_monitor_performance.delay import due, parse_delay, passed

        delay = parse_delay(self.label_delay)
        expected = due(window, delay)
        if not delay or passed(expected, window.as_of):
            return ""
        text = expected if isinstance(expected, int) else expected.isoformat()
        return f"labels are expected until {text}"

    def _unmeasured(self, task: Task, n: int) -> tuple[Check, ...]:
        from interlock_monitor_performance.measured import METRICS

        reason = f"{n} labelled rows, under min_labelled = {self.min_labelled}"
        return tuple(Check(name=name, n=n, reason=reason) for name in METRICS[task.kind])

    def _judged(self, check: Check, waiting: str, report: Callable[..., Finding]) -> Finding:
        """A measure as a finding: an alert where its bound is broken and its labels are due."""
        from interlock_monitor_performance.measured import LARGER_IS_BETTER

        bound = self._bound(check.name)
        # A finding's op says which side alerts, a bound's which side is allowed.
        below = bound.op in (">=", ">") if bound else LARGER_IS_BETTER[check.name]
        reason = check.reason
        if waiting:
            status, reason = "immature", waiting
        elif check.value is None:
            status = "unmeasured"
        elif bound is None or bound.holds(bound.compared(check)):
            status = "ok"
        elif bound.compared(check) is None:
            status, reason = "unmeasured", f"{check.name} has no interval for the bound to look at"
        else:
            status, reason = "alert", _broken(bound, check)
        return report(
            name=check.name,
            status=status,
            value=check.value,
            threshold=bound.limit if bound else None,
            op="<" if below else ">",
            n=check.n,
            low=check.low,
            high=check.high,
            reason=reason,
        )

    def _bound(self, name: str) -> Bound | None:
        if name not in self.bounds:
            return None
        op, limit = parse_bound(self.bounds[name])
        return Bound(key=name, op=op, limit=limit, on=self.on)


def _coverage(n: int, coverage: float, waiting: str, report: Callable[..., Finding]) -> Finding:
    status, reason = "ok", ""
    if waiting:
        status, reason = "immature", waiting
    elif n == 0:
        status, reason = "unmeasured", "no labels yet: interlock labels add SOURCE"
    return report(name=COVERAGE, status=status, value=coverage, op="<", n=n, reason=reason)


def _broken(bound: Bound, check: Check) -> str:
    end = "" if bound.on == "value" else "the worse end of "
    return f"{end}{check.name} is {bound.compared(check):.3g}, and must be {bound.text}"
