"""Checks of each group, and of the groups of a column against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from interlock_hookspecs import Check
from interlock_validate_fairness.measures import (
    LEVEL,
    Measure,
    Measured,
    by_group,
    difference,
    extremes,
    ratio,
)

if TYPE_CHECKING:
    from interlock_validate_fairness.groups import Grouping

VERSION = 1
"""Of the definitions in this plugin: another version is another measurement."""

_CLASS = "selection_rate:"


class Compared(NamedTuple):
    """The groups of one column that have a value and enough rows.

    Attributes:
        measure: its name.
        groups: their names, and what was measured of each.
        left_out: the groups with too few rows, or none that counts.
        method: of the interval of the difference.
    """

    measure: str
    groups: Mapping[str, Measured]
    left_out: tuple[str, ...]
    method: str


def check_groups(
    groupings: Sequence[Grouping], measures: Sequence[Measure], min_group: int, concern: float
) -> tuple[Check, ...]:
    """All checks of all groupings.

    Args:
        groupings: columns, and pairs of them.
        measures: what is measured of every group.
        min_group: rows under which a group is listed and not measured.
        concern: the ratio under which a concern is raised.
    """
    return tuple(
        check
        for grouping in groupings
        for check in _of_grouping(grouping, measures, min_group, concern)
    )


def _of_grouping(
    grouping: Grouping, measures: Sequence[Measure], min_group: int, concern: float
) -> Iterator[Check]:
    if grouping.reason:
        for name in _summaries(measures):
            yield Check(name=name, subject=grouping.name, reason=grouping.reason, version=VERSION)
        return
    import numpy as np

    k = len(grouping.groups)
    rows = np.bincount(grouping.codes, minlength=k).tolist()
    small = tuple(g for g, n in zip(grouping.groups, rows, strict=True) if n < min_group)
    compared = {}
    for measure in measures:
        found = dict(zip(grouping.groups, by_group(measure, grouping.codes, k), strict=True))
        if not measure.name.startswith(_CLASS):
            for group, n in zip(grouping.groups, rows, strict=True):
                why = f"n = {n}, under min_group = {min_group}" if group in small else ""
                yield _of_group(measure, group, found[group], n, why)
        held = {g: m for g, m in found.items() if g not in small and m.value is not None}
        left_out = tuple(group for group in grouping.groups if group not in held)
        compared[measure.name] = Compared(measure.name, held, left_out, measure.method)
    yield from _of_column(grouping.name, compared, concern)


def _of_group(measure: Measure, group: str, found: Measured, rows: int, too_small: str) -> Check:
    about: dict[str, Any] = {"name": measure.name, "subject": group, "version": VERSION}
    if too_small:
        return Check(n=found.n, undersized=(group,), reason=too_small, **about)
    if found.value is None:
        return Check(n=0, undersized=(group,), reason=measure.nothing, **about)
    return Check(
        value=found.value,
        n=found.n,
        low=found.low,
        high=found.high,
        level=LEVEL,
        method=measure.method,
        facts={"rows": rows},
        **about,
    )


def _summaries(measures: Sequence[Measure]) -> list[str]:
    """The checks that a column gets, by the measures of its groups."""
    names = {measure.name for measure in measures}
    if "tpr" in names:
        return [
            "selection_rate_difference",
            "selection_rate_ratio",
            "equal_opportunity_difference",
            "tpr_ratio",
            "equalized_odds_difference",
            "equalized_odds_ratio",
        ]
    if "accuracy" in names:
        return ["accuracy_difference", "accuracy_ratio", "selection_rate_difference"]
    return [f"{name}_difference" for name in names]


def _of_column(column: str, found: Mapping[str, Compared], concern: float) -> Iterator[Check]:
    """The summaries of a column; names and definitions are fairlearn's.

    Demographic parity is the difference and ratio of selection rates, equal opportunity those of
    true positive rates (Hardt, Price and Srebro 2016, NeurIPS 29), equalized odds the worse of the
    true and false positive rates'.
    """
    if "tpr" in found:
        rates, tpr, fpr = found["selection_rate"], found["tpr"], found["fpr"]
        yield _difference("selection_rate_difference", column, [rates])
        yield _ratio("selection_rate_ratio", column, [rates], concern)
        yield _difference("equal_opportunity_difference", column, [tpr])
        yield _ratio("tpr_ratio", column, [tpr], concern)
        yield _difference("equalized_odds_difference", column, [tpr, fpr])
        yield _ratio("equalized_odds_ratio", column, [tpr, fpr], concern)
    elif "accuracy" in found:
        yield _difference("accuracy_difference", column, [found["accuracy"]])
        yield _ratio("accuracy_ratio", column, [found["accuracy"]], concern)
        by_class = [rates for name, rates in found.items() if name.startswith(_CLASS)]
        yield _difference("selection_rate_difference", column, by_class)
    else:
        for name, means in found.items():
            yield _difference(f"{name}_difference", column, [means])


def _difference(name: str, column: str, each: Sequence[Compared]) -> Check:
    """The largest difference between two groups; of several measures, the largest of theirs."""
    about = _about(name, column, each)
    if about.get("reason"):
        return Check(**about)
    made = []
    for compared in each:
        groups, measured = list(compared.groups), list(compared.groups.values())
        least, most = extremes(measured)
        ends = difference(measured[most], measured[least])
        made.append((ends, compared, groups[least], groups[most]))
    (value, low, high), compared, least_group, most_group = max(made, key=lambda one: one[0][0])
    method = "newcombe" if compared.method == "wilson" else "welch"
    return _between(about, (value, low, high), compared, (least_group, most_group), method)


def _ratio(name: str, column: str, each: Sequence[Compared], concern: float) -> Check:
    """The smallest rate over the largest; of several measures, the smallest of theirs."""
    about = _about(name, column, each)
    if about.get("reason"):
        return Check(**about)
    made = []
    for compared in each:
        groups, measured = list(compared.groups), list(compared.groups.values())
        least, most = extremes(measured)
        ends = ratio(measured[least], measured[most])
        if ends is None:
            return Check(**about, reason=f"the {compared.measure} is 0 in every group")
        made.append((ends, compared, groups[least], groups[most]))
    (value, low, high), compared, least_group, most_group = min(made, key=lambda one: one[0][0])
    if value < concern:
        about["concern"] = (
            f"the {compared.measure} of {least_group} is {value:.2f} of that of {most_group}"
        )
    return _between(about, (value, low, high), compared, (least_group, most_group), "katz")


def _about(name: str, column: str, each: Sequence[Compared]) -> dict[str, Any]:
    """What a summary says whether or not it has a value: its rows, and the groups left out."""
    left_out = tuple(dict.fromkeys(group for one in each for group in one.left_out))
    about: dict[str, Any] = {
        "name": name,
        "subject": column,
        "n": min(sum(m.n for m in one.groups.values()) for one in each),
        "undersized": left_out,
        "version": VERSION,
    }
    fewest = min(len(one.groups) for one in each)
    if fewest < 2:  # noqa: PLR2004  (two sides of a comparison)
        about["reason"] = f"{fewest} of the groups of {column} can be measured: two are compared"
    return about


def _between(
    about: Mapping[str, Any],
    ends: tuple[float, float, float],
    compared: Compared,
    groups: tuple[str, str],
    method: str,
) -> Check:
    values = {f"value[{group}]": found.value for group, found in compared.groups.items()}
    return Check(
        value=ends[0],
        low=ends[1],
        high=ends[2],
        level=LEVEL,
        method=method,
        facts={"measure": compared.measure, "lowest": groups[0], "highest": groups[1], **values},
        **about,
    )
