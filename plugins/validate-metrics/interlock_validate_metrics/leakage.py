"""Label leakage: how well each feature alone tells the target.

A feature that ranks the target almost perfectly by itself usually is the target: written down
after the fact, or computed from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from interlock_hookspecs import is_positive
from interlock_validate_metrics.columns import Categories, Column
from interlock_validate_metrics.estimates import counted, facts, unmeasured
from interlock_validate_metrics.ranking import wins
from interlock_validate_metrics.scoring import numbers

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs import Check, Task
    from interlock_validate_metrics.estimates import Bools, Floats, Ints

ROWS = 100_000
"""Of more rows, every k-th is looked at: enough to tell 0.98 from 0.95."""

CLASSES = 10
"""Of more classes, the largest are looked at."""


def leakage_checks(
    features: Mapping[str, Column | None], target: pa.Array, task: Task, concern_from: float
) -> list[Check]:
    """The ROC AUC of each feature alone, and the largest of them.

    A regression's target counts as positive above its median; of several classes, each is held
    against the rest and the largest AUC stands.
    """
    step = -(-len(target) // ROWS)
    outcomes = list(_outcomes(target, task, step))
    n = len(range(0, len(target), step))
    found = {
        name: max(feature_auc(_every(column, step), outcome) for outcome in outcomes)
        for name, column in features.items()
        if column is not None
    }
    if not found:
        return [unmeasured("single_feature_auc", "no feature holds numbers or text", n=n)]
    worst = max(found, key=found.__getitem__)
    checks = [counted("single_feature_auc", found[worst], n, facts=facts(column=worst))]
    for name, value in found.items():
        concern = ""
        if value >= concern_from:
            concern = (
                f"{name} alone tells {task.target} with ROC AUC {value:.3f}: is it known before "
                f"{task.target} is? If not, [task] exclude"
            )
        checks.append(counted("single_feature_auc", value, n, subject=name, concern=concern))
    return checks


def feature_auc(column: Column, outcome: Bools) -> float:
    """How well one column ranks an outcome, 0.5 to 1, whichever way round.

    Numbers rank as they are. Categories rank by their share of the outcome in the other half of
    the rows (even and odd), so that a category of one row tells nothing of itself. Being null is
    a category, and for numbers a ranking of its own.
    """
    if isinstance(column, Categories):
        return max(0.5, _by_category(column.codes + 1, outcome))
    missing = column.missing
    known = ~missing
    absent = _share(missing, outcome) - _share(missing, ~outcome)
    of_nulls = 0.5 + abs(absent) / 2
    return max(of_nulls, _by_number(column.values[known], outcome[known]))


def _share(flags: Bools, among: Bools) -> float:
    return float(flags[among].mean()) if among.any() else 0.0


def _by_number(values: Floats, outcome: Bools) -> float:
    positive, negative = values[outcome], values[~outcome]
    if not len(positive) or not len(negative):
        return 0.5
    # The larger side is sorted, the smaller is looked up in it, in order: memory is read once.
    fewer, more = sorted((positive, negative), key=len)
    fewer.sort()
    auc = float(wins(fewer, more).mean())
    return max(auc, 1 - auc)


def _by_category(codes: Ints, outcome: Bools) -> float:
    halves = [_counts(codes[start::2], outcome[start::2], int(codes.max()) + 1) for start in (0, 1)]
    aucs = [_ranked(*halves[0], *halves[1]), _ranked(*halves[1], *halves[0])]
    known = [auc for auc in aucs if auc is not None]
    return sum(known) / len(known) if known else 0.5


def _counts(codes: Ints, outcome: Bools, k: int) -> tuple[Ints, Ints]:
    import numpy as np

    positive = np.bincount(codes[outcome], minlength=k)
    return positive, np.bincount(codes, minlength=k) - positive


def _ranked(
    positive: Ints, negative: Ints, other_positive: Ints, other_negative: Ints
) -> float | None:
    """The AUC of one half's categories, ranked by their shares in the other."""
    import numpy as np

    pairs = positive.sum() * negative.sum()
    others = other_positive.sum() + other_negative.sum()
    if not pairs or not others:
        return None
    base = other_positive.sum() / others
    # One row of the overall share: an unseen category stands in the middle.
    shares = (other_positive + base) / (other_positive + other_negative + 1)
    _, rank = np.unique(shares, return_inverse=True)
    above = np.bincount(rank, positive)
    below = np.bincount(rank, negative)
    beaten = np.cumsum(below) - below / 2
    return float((above * beaten).sum() / pairs)


def _outcomes(target: pa.Array, task: Task, step: int) -> Iterator[Bools]:
    import numpy as np
    import pyarrow.compute as pc

    if task.kind == "regression":
        values = numbers(target, task)
        yield (values > np.median(values))[::step]
    elif task.kind == "binary":
        yield is_positive(target, task)[::step]
    else:
        counts = target.value_counts()
        largest = np.argsort(-counts.field("counts").to_numpy(), kind="stable")[:CLASSES]
        for place in largest:
            same = pc.equal(target, counts.field("values")[int(place)])
            yield same.to_numpy(zero_copy_only=False)[::step]


def _every(column: Column, step: int) -> Column:
    if step == 1:
        return column
    if isinstance(column, Categories):
        return column._replace(codes=column.codes[::step])
    return column._replace(values=column.values[::step])
