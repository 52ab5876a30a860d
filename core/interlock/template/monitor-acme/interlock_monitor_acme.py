"""Watches the means of numbers, and how many of the answers turned out right."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    PREDICTION,
    Finding,
    InvalidInput,
    Profile,
    Task,
    Window,
    Workspace,
    hookimpl,
    plugin,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa

Sums = dict[str, list[float]]
"""By column: how many values, their sum, and the sum of their squares. Sums add up to a merge."""


@plugin(contract="1.0")
class AcmeMonitor:
    """Alerts where the mean of a number has moved, in standard deviations of the reference."""

    shift: float = setting(
        0.5,
        doc="how far a mean may move, in standard deviations of the reference",
        validator=attrs.validators.gt(0.0),
    )
    min_rows: int = setting(
        100, doc="rows with a value under which nothing is said", validator=attrs.validators.ge(2)
    )

    @hookimpl
    def build_profile(
        self, rows: pa.Table, predictions: pa.Table, task: Task, ws: Workspace
    ) -> tuple[Profile, ...]:
        sums = {name: sums_of(rows[name]) for name in numbers(rows, task)}
        outputs = {name: sums_of(predictions[name]) for name in numbers(predictions, task)}
        return (kept(sums | outputs, rows.num_rows, ws),)

    @hookimpl
    def compare_window(
        self, profile: Profile, window: Window, ws: Workspace
    ) -> tuple[Finding, ...]:
        reference = read(profile, ws)
        return tuple(self._moved(name, sums, window) for name, sums in reference.items())

    @hookimpl
    def merge_profiles(
        self, profile: Profile, others: tuple[Profile, ...], ws: Workspace
    ) -> Profile:
        merged = read(profile, ws)
        for other in others:
            added = read(other, ws)
            if added.keys() != merged.keys():
                apart = ", ".join(sorted(added.keys() ^ merged.keys()))
                raise InvalidInput(f"profiles of other columns do not merge: {apart}")
            merged = {
                name: [mine + theirs for mine, theirs in zip(sums, added[name], strict=True)]
                for name, sums in merged.items()
            }
        return kept(merged, profile.rows + sum(other.rows for other in others), ws)

    @hookimpl
    def measure_performance(self, window: Window, task: Task) -> tuple[Finding, ...]:
        import pyarrow.compute as pc

        if task.kind == "regression" or task.target not in window.rows.column_names:
            return ()
        rows = window.rows.filter(pc.is_valid(window.rows[task.target]))
        if rows.num_rows < self.min_rows:
            return (self._unmeasured("accuracy", "", rows.num_rows, window),)
        right = pc.sum(pc.equal(rows[PREDICTION], rows[task.target])).as_py()
        value = right / rows.num_rows
        return (self._finding("accuracy", "", window, n=rows.num_rows, status="ok", value=value),)

    def _moved(self, name: str, reference: list[float], window: Window) -> Finding:
        sent = name in window.rows.column_names
        n, mean, _ = moments(sums_of(window.rows[name]) if sent else [0, 0, 0])
        known, before, deviation = moments(reference)
        if min(n, known) < self.min_rows:
            return self._unmeasured("mean_shift", name, n, window, known)
        value = abs(mean - before) / deviation if deviation else float(mean != before)
        if not math.isfinite(value):
            return self._finding(
                "mean_shift", name, window, n=n, status="unmeasured", reason="the sums overflow"
            )
        return self._finding(
            "mean_shift",
            name,
            window,
            n=n,
            status="alert" if value > self.shift else "ok",
            value=value,
            threshold=self.shift,
        )

    def _unmeasured(
        self, name: str, subject: str, n: int, window: Window, known: int | None = None
    ) -> Finding:
        reference = "" if known is None else f" and {known} in the reference"
        reason = f"{n} rows with a value{reference}, under min_rows = {self.min_rows}"
        return self._finding(name, subject, window, n=n, status="unmeasured", reason=reason)

    def _finding(self, name: str, subject: str, window: Window, **more: Any) -> Finding:
        served = window.rows.num_rows
        return Finding(
            name=name, subject=subject, served=served, start=window.start, end=window.end, **more
        )


def numbers(table: pa.Table, task: Task) -> tuple[str, ...]:
    """The features, or the outputs, that are numbers."""
    import pyarrow as pa

    return tuple(
        name
        for name in task.features(table.column_names)
        if pa.types.is_integer(table[name].type) or pa.types.is_floating(table[name].type)
    )


def sums_of(column: pa.ChunkedArray) -> list[float]:
    """The count, sum and sum of squares of a column's finite values, in whatever chunks it is."""
    import numpy as np

    values = np.asarray(column.drop_null().combine_chunks(), dtype=float)
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore", invalid="ignore"):
        return [float(values.size), float(values.sum()), float((values * values).sum())]


def moments(sums: list[float]) -> tuple[int, float, float]:
    """The count, mean and standard deviation behind such sums; zeros for no values."""
    n, total, squares = sums
    mean = total / n if n else 0.0
    variance = max(squares / n - mean * mean, 0.0) if n else 0.0
    return int(n), mean, variance**0.5


def kept(sums: Sums, rows: int, ws: Workspace) -> Profile:
    """A profile that holds these sums."""
    path = ws.scratch() / "means.json"
    path.write_text(json.dumps(sums, sort_keys=True), encoding="utf-8")
    return Profile(name="means", artifact=ws.keep(path), rows=rows)


def read(profile: Profile, ws: Workspace) -> Sums:
    """The sums that a profile holds."""
    found: Sums = json.loads(ws.locate(profile.artifact).read_text(encoding="utf-8"))
    return found
