"""The rows before anything is fitted to them: counts, nulls, duplicates and the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock_hookspecs import Check, InvalidInput, Task, is_positive
from interlock_validate_metrics.columns import Column, different, encoded
from interlock_validate_metrics.estimates import counted, facts, unmeasured
from interlock_validate_metrics.leakage import leakage_checks
from interlock_validate_metrics.reference import reference_checks
from interlock_validate_metrics.scoring import numbers, target_column
from interlock_validate_metrics.texts import text_checks

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_validate_metrics.estimates import Ints

_SMALL_CLASS = 50
_NAMED = 20


def check_rows(
    rows: pa.Table, task: Task, reference: pa.Table | None, *, leakage: float, nulls: float
) -> tuple[Check, ...]:
    """All checks of a dataset.

    Args:
        rows: the whole dataset.
        task: what it is for.
        reference: the champion's training rows, or None.
        leakage: the single-feature ROC AUC from which a concern is raised.
        nulls: the share of nulls from which a concern is raised.

    Raises:
        InvalidInput: no rows; no target where the task names one; a label that is missing; fewer
            classes than two, or more than two where the task is binary.
    """
    if rows.num_rows == 0:
        msg = f"{task.dataset} has no rows"
        raise InvalidInput(msg)
    columns = {name: encoded(rows[name]) for name in rows.column_names}
    features = {name: columns[name] for name in task.features(rows.column_names)}
    found = [
        counted("rows", rows.num_rows, rows.num_rows),
        *duplicate_checks(rows, columns, task),
        *null_checks(rows, features, nulls),
        constant_check(features, rows.num_rows),
        *text_checks(features, rows.num_rows),
    ]
    if task.target is not None:
        target = target_column(rows, task, "dataset's")
        found += target_checks(target, task)
        found += leakage_checks(features, target, task, leakage)
    return (*found, *reference_checks(rows, features, reference))


def duplicate_checks(
    rows: pa.Table, columns: Mapping[str, Column | None], task: Task
) -> list[Check]:
    """Rows equal to an earlier one in every column, and ids that are missing or not unique."""
    n = rows.num_rows
    found = []
    repeated = n
    if task.id is not None and task.id in rows.column_names:
        missing = rows[task.id].null_count
        repeated = n - missing - different(rows[task.id])
        bad = repeated + missing
        concern = f"{bad} rows have an id that is missing or not their own" if bad else ""
        found.append(counted("duplicate_ids", bad, n, subject=task.id, concern=concern))
        # Rows that differ in their id are no duplicates: the search is over.
        repeated += missing
    duplicates = duplicate_rows(columns, n) if repeated else 0
    if duplicates is None:
        why = "a column holds neither numbers nor text: rows cannot be compared"
        return [unmeasured("duplicate_rows", why, n=n), *found]
    concern = f"{duplicates} rows equal an earlier one in every column" if duplicates else ""
    return [counted("duplicate_rows", duplicates, n, concern=concern), *found]


def duplicate_rows(columns: Mapping[str, Column | None], n: int) -> int | None:
    """How many rows equal an earlier one; None where a column cannot be compared.

    Rows are sorted by a 64-bit mix of their values, and neighbours compared value by value, so
    that two rows are never counted as equal for their mix alone.
    """
    import numpy as np

    mixed = np.zeros(n, dtype=np.uint64)
    keys: list[Ints] = []
    for column in columns.values():
        if column is None:
            return None
        keys.append(column.keys)
        mixed = (mixed ^ keys[-1].view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed, kind="stable")
    near = np.flatnonzero(mixed[order[1:]] == mixed[order[:-1]])
    equal = np.ones(len(near), dtype=bool)
    for key in keys:
        equal &= key[order[near]] == key[order[near + 1]]
    return int(equal.sum())


def null_checks(
    rows: pa.Table, features: Mapping[str, Column | None], concern_from: float
) -> list[Check]:
    """The share of nulls (and NaNs) of each feature, and the largest of them."""
    n = rows.num_rows
    shares = {}
    for name, column in features.items():
        # A column that holds lists has nulls all the same.
        missing = rows[name].null_count if column is None else int(column.missing.sum())
        shares[name] = missing / n
    if not shares:
        return [unmeasured("nulls", "there are no features", n=n)]
    worst = max(shares, key=shares.__getitem__)
    found = [counted("nulls", shares[worst], n, facts=facts(column=worst))]
    for name, share in shares.items():
        concern = f"{name} is null in {share:.0%} of the rows" if share >= concern_from else ""
        found.append(counted("nulls", share, n, subject=name, concern=concern))
    return found


def constant_check(features: Mapping[str, Column | None], n: int) -> Check:
    """How many features have one value, or none, in all rows."""
    same = [name for name, column in features.items() if column and column.distinct <= 1]
    concern = f"{_listed(same)}: the same in every row" if same else ""
    return counted("constant_columns", len(same), n, concern=concern)


def target_checks(target: pa.Array, task: Task) -> list[Check]:
    """The rows of each class, as the share of the rarest; nothing for a regression.

    Raises:
        InvalidInput: fewer classes than two, or more than a binary task has.
    """
    import pyarrow.compute as pc

    n = len(target)
    if task.kind == "regression":
        if pc.min(target) == pc.max(target):
            msg = f"the target {task.target!r} is the same in all {n} rows: nothing can be learned"
            raise InvalidInput(msg)
        numbers(target, task)
        return []
    found = target.value_counts()
    counts = found.field("counts").to_pylist()
    if len(counts) < 2:  # noqa: PLR2004  (classes)
        msg = f"the target {task.target!r} has one class in all {n} rows: nothing can be learned"
        raise InvalidInput(msg)
    if task.kind == "binary":
        _is_binary(target, task, len(counts))
    labels = [str(value) for value in found.field("values").to_pylist()]
    rarest = min(counts)
    by_class = dict(zip(labels, counts, strict=True)) if len(counts) <= _NAMED else {}
    concern = f"the rarest class has {rarest} rows" if rarest < _SMALL_CLASS else ""
    return [
        counted(
            "target_balance",
            rarest / n,
            n,
            concern=concern,
            facts=facts(classes=len(counts), **{f"rows[{k}]": v for k, v in by_class.items()}),
        )
    ]


def _is_binary(target: pa.Array, task: Task, classes: int) -> None:
    if classes > 2:  # noqa: PLR2004  (classes)
        msg = f"the target {task.target!r} has {classes} classes: [task] kind = 'multiclass'"
        raise InvalidInput(msg)
    if not is_positive(target, task).any():
        msg = f"no row of the target {task.target!r} is {task.positive!r}: set [task] positive"
        raise InvalidInput(msg)


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
