"""One column of a window against its profile: the distances, and whether they say something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import Finding, Scalar
from interlock_monitor_drift import distances
from interlock_monitor_drift.cells import (
    INSTANT,
    NOTHING,
    NUMBER,
    OTHER,
    TEXT,
    Column,
    grouped,
    outside,
    recount,
)

if TYPE_CHECKING:
    import pyarrow as pa

_ORDERED = (NUMBER, INSTANT)


@attrs.frozen(kw_only=True)
class Limits:
    """From where on a distance is a finding.

    Attributes:
        thresholds: by statistic.
        special: by statistic and column, for example ``psi[AGEP]``; they win.
        min_rows: rows with a value under which nothing is measured.
        false_alarms: the rate at which chance alone may pass a floor.
    """

    thresholds: Mapping[str, float]
    special: Mapping[str, float]
    min_rows: int
    false_alarms: float

    def of(self, statistic: str, column: str) -> float:
        """The threshold of a statistic for a column."""
        return self.special.get(f"{statistic}[{column}]", self.thresholds[statistic])


Report = Callable[..., Finding]
"""`Finding` with the window's part filled in."""


def compare(
    reference: Column, data: pa.ChunkedArray | None, limits: Limits, report: Report
) -> Iterator[Finding]:
    """The findings of one column.

    Args:
        reference: what the profile knows of it.
        data: the window's rows of it; None where the window has no such column.
        limits: thresholds and floors.
        report: makes a finding of this window.
    """
    report = partial(report, subject=reference.name)
    if data is None:
        yield report(
            name="psi", status="unmeasured", n=0, reason=f"the window has no {reference.name}"
        )
        return
    try:
        window = recount(reference, data)
    except TypeError as error:
        yield report(
            name="type", status="alert", value=1.0, threshold=0.0, n=len(data), reason=str(error)
        )
        return
    yield from _nulls(reference, window, limits, report)
    yield from _distances(reference, window, limits, report)


def _nulls(reference: Column, window: Column, limits: Limits, report: Report) -> Iterator[Finding]:
    total, n = reference.rows + reference.nulls, window.rows + window.nulls
    if not total or not (reference.nulls or window.nulls):
        return
    if n < limits.min_rows:
        yield report(name="nulls", status="unmeasured", n=n, reason=_too_few(n, limits))
        return
    shares = reference.nulls / total, window.nulls / n
    yield _judged(
        "nulls",
        abs(shares[1] - shares[0]),
        distances.share_floor((reference.nulls, total), (window.nulls, n), limits.false_alarms),
        limits,
        partial(report, n=n),
        {"reference": total, "reference_share": shares[0], "window_share": shares[1]},
    )


def _distances(
    reference: Column, window: Column, limits: Limits, report: Report
) -> Iterator[Finding]:
    n = window.rows
    reason = ""
    if reference.family == OTHER:
        reason = "its type is neither a number, a time nor a text: only its nulls are compared"
    elif reference.family == NOTHING or not reference.rows:
        reason = "the reference has no values to compare with"
    elif n < limits.min_rows:
        reason = _too_few(n, limits)
    if reason:
        yield report(name="psi", status="unmeasured", n=n, reason=reason)
        return

    import numpy as np

    rate = limits.false_alarms
    report = partial(report, n=n)
    before, after = distances.pooled(grouped(reference), grouped(window))
    sizes = {"reference": reference.rows, "outside": outside(window) / n}
    yield _judged(
        "psi",
        distances.psi(before, after),
        distances.psi_floor(len(before), reference.rows, n, rate),
        limits,
        report,
        {**sizes, "cells": len(before)},
    )
    fine = np.array(reference.counts), np.array(window.counts)
    if reference.family in _ORDERED:
        floor = distances.ks_floor(reference.rows, n, rate)
        yield _judged("ks", distances.ks(*fine), floor, limits, report, sizes)
    elif reference.family == TEXT:
        floor = distances.total_variation_floor(fine[0], n, rate)
        value = distances.total_variation(*fine)
        yield _judged("total_variation", value, floor, limits, report, sizes)


def _judged(
    statistic: str,
    value: float,
    floor: float,
    limits: Limits,
    report: Report,
    facts: Mapping[str, Scalar],
) -> Finding:
    """A distance as a finding: an alert where it is over its threshold and over chance."""
    column = report.keywords["subject"]  # type: ignore[attr-defined]  # a partial, made above
    stated = limits.of(statistic, column)
    threshold = max(stated, floor)
    reason = ""
    if value > threshold:
        reason = f"{statistic} of {column} is {value:.3g}, over {threshold:.3g}"
    elif value > stated:
        reason = f"over {stated:g}, but no further than chance takes so few rows"
    return report(
        name=statistic,
        status="alert" if value > threshold else "ok",
        value=value,
        threshold=threshold,
        reason=reason,
        facts={**facts, "floor": floor, "stated_threshold": stated},
    )


def _too_few(n: int, limits: Limits) -> str:
    return f"{n} rows with a value, under min_rows = {limits.min_rows}"
