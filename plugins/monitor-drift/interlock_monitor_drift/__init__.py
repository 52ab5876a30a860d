"""Drift: what a served model is asked and answers, against the rows it was validated on.

A profile holds, for every feature and every output, counts over cells that are frozen when it is
made. Counts add up, so that profiles merge; a window is counted over the same cells and compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Finding,
    InvalidInput,
    NotFound,
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

    from interlock_monitor_drift.cells import Column
    from interlock_monitor_drift.comparison import Limits

NAME = "marginals"
"""The kind of profile that this plugin makes: each column by itself."""

_STATISTICS = ("psi", "ks", "total_variation", "nulls")


def _share(_instance: object, _attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value < 1:
        msg = "expected a number between 0 and 1, for example 0.1"
        raise ValueError(msg)


def _distance(_instance: object, _attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value < math.inf:
        msg = "expected a number over 0, for example 0.1"
        raise ValueError(msg)


def _at_least(least: int) -> Any:
    def check(_instance: object, _attribute: attrs.Attribute[Any], value: int) -> None:
        if value < least:
            msg = f"expected a whole number, {least} or more"
            raise ValueError(msg)

    return check


def _special(
    _instance: object, _attribute: attrs.Attribute[Any], value: Mapping[str, float]
) -> None:
    for key, limit in value.items():
        statistic, opened, column = key.partition("[")
        if statistic not in _STATISTICS or not opened or not column.endswith("]"):
            msg = (
                f"{key!r} is none of {', '.join(_STATISTICS)} with a column: "
                'write for example "psi[age]"'
            )
            raise ValueError(msg)
        if not 0 < limit < math.inf:
            msg = f"{key!r} needs a number over 0, for example 0.25"
            raise ValueError(msg)


@plugin(contract="1.0", measures=(*_STATISTICS, "type"))
class Drift:
    """Profiles reference rows, and finds where a window of traffic has moved away from them."""

    psi: float = setting(
        0.1,
        doc="population stability index from which a column's drift is an alert",
        validator=_distance,
    )
    ks: float = setting(
        0.05,
        doc="Kolmogorov-Smirnov statistic, 0 to 1, from which a number's drift is an alert",
        validator=_share,
    )
    total_variation: float = setting(
        0.1,
        doc="share of rows that changed their category from which a text's drift is an alert",
        validator=_share,
    )
    nulls: float = setting(
        0.05,
        doc="change in the share of rows without a value from which it is an alert",
        validator=_share,
    )
    thresholds: dict[str, float] = setting(
        attrs.Factory(dict),
        doc='thresholds of single columns, for example { "psi[AGEP]" = 0.25 }',
        validator=_special,
    )
    ignore: tuple[str, ...] = setting((), doc="columns and outputs that are not watched")
    min_rows: int = setting(
        200,
        doc="rows with a value in a window under which a column is unmeasured",
        validator=_at_least(2),
    )
    false_alarms: float = setting(
        0.001,
        doc="rate at which chance alone may raise an alert, for each comparison",
        validator=_share,
    )
    bins: int = setting(10, doc="coarse cells of a number, for the PSI", validator=_at_least(2))
    grid: int = setting(
        256, doc="fine cells of a number, for the KS statistic", validator=_at_least(2)
    )
    categories: int = setting(
        100, doc="categories of a text that are kept apart", validator=_at_least(1)
    )
    edges_from: Path | None = setting(
        None,
        doc="a profile's file whose cells to count over instead of making new ones, so that "
        "profiles of several sets of rows merge",
    )

    @hookimpl
    def build_profile(
        self, rows: pa.Table, predictions: pa.Table, task: Task, ws: Workspace
    ) -> tuple[Profile, ...]:
        from interlock_monitor_drift.cells import learn, recount
        from interlock_monitor_drift.document import Document, read, write

        data = self._watched(rows, predictions, task)
        if self.edges_from:
            if not self.edges_from.is_file():
                msg = f"edges_from: there is no file {self.edges_from}"
                raise NotFound(msg)
            frozen = read(self.edges_from).columns
            if [column.name for column in frozen] != list(data):
                msg = f"edges_from: {self.edges_from} is a profile of other columns than these rows"
                raise InvalidInput(msg)
            columns = [_fitting(recount, column, data[column.name]) for column in frozen]
        else:
            columns = [
                learn(name, values, bins=self.bins, grid=self.grid, categories=self.categories)
                for name, values in data.items()
            ]
        path = ws.scratch() / "profile.json"
        write(Document(rows=rows.num_rows, columns=tuple(columns)), path)
        return (Profile(name=NAME, artifact=ws.keep(path), rows=rows.num_rows),)

    @hookimpl
    def compare_window(
        self,
        profile: Profile,
        window: Window,
        task: Task,  # noqa: ARG002  (the profile says which columns it is of)
        ws: Workspace,
    ) -> tuple[Finding, ...]:
        from functools import partial

        from interlock_monitor_drift.comparison import compare
        from interlock_monitor_drift.document import read

        report = partial(Finding, served=window.rows.num_rows, start=window.start, end=window.end)
        present = set(window.rows.column_names)
        limits = self._limits()
        return tuple(
            finding
            for column in read(ws.locate(profile.artifact)).columns
            if column.name not in self.ignore
            for finding in compare(
                column,
                window.rows[column.name] if column.name in present else None,
                limits,
                report,
            )
        )

    @hookimpl
    def merge_profiles(
        self, profile: Profile, others: tuple[Profile, ...], ws: Workspace
    ) -> Profile:
        from interlock_monitor_drift.cells import merge
        from interlock_monitor_drift.document import Document, read, write

        merged = read(ws.locate(profile.artifact))
        for other in others:
            added = read(ws.locate(other.artifact))
            names = [column.name for column in merged.columns]
            if [column.name for column in added.columns] != names:
                msg = f"profiles of other columns do not merge: {_difference(merged, added)}"
                raise InvalidInput(msg)
            columns = tuple(
                _fitting(merge, mine, theirs)
                for mine, theirs in zip(merged.columns, added.columns, strict=True)
            )
            merged = Document(rows=merged.rows + added.rows, columns=columns)
        path = ws.scratch() / "profile.json"
        write(merged, path)
        return Profile(name=profile.name, artifact=ws.keep(path), rows=merged.rows)

    def _watched(
        self, rows: pa.Table, predictions: pa.Table, task: Task
    ) -> dict[str, pa.ChunkedArray]:
        """The columns to profile by name: features, then outputs."""
        features = task.features(rows.column_names)
        named = {*self.ignore, *(_column_of(key) for key in self.thresholds)}
        unknown = sorted(named - {*rows.column_names, *predictions.column_names})
        if unknown:
            msg = f"no column {unknown[0]!r} to ignore or to give a threshold: there are " + (
                ", ".join([*features, *predictions.column_names])
            )
            raise InvalidInput(msg)
        both = [name for name in features if name in predictions.column_names]
        if both:
            msg = f"{both[0]!r} is a feature and an output: rename the column, or exclude it"
            raise InvalidInput(msg)
        found = {name: rows[name] for name in features}
        found |= {name: predictions[name] for name in predictions.column_names}
        return {name: data for name, data in found.items() if name not in self.ignore}

    def _limits(self) -> Limits:
        from interlock_monitor_drift.comparison import Limits

        return Limits(
            thresholds={name: getattr(self, name) for name in _STATISTICS},
            special=self.thresholds,
            min_rows=self.min_rows,
            false_alarms=self.false_alarms,
        )


def _column_of(key: str) -> str:
    return key.partition("[")[2].removesuffix("]")


def _fitting(act: Any, column: Column, other: Any) -> Column:
    """What counting or merging gives, its refusal in a user's terms."""
    try:
        done: Column = act(column, other)
    except (TypeError, ValueError) as error:
        raise InvalidInput(str(error)) from error
    return done


def _difference(one: Any, other: Any) -> str:
    mine, theirs = ({column.name for column in found.columns} for found in (one, other))
    apart = sorted(mine ^ theirs)
    return ", ".join(apart) if apart else "their order differs"
