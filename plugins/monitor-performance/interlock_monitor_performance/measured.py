"""The measures of each kind of task, on rows that have an answer and a label.

They are `Check` records, so that a bound is read here as the policy reads it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import PREDICTION, SCORE, Check, InvalidInput, Task, measures

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Classes = NDArray[np.intp]

LARGER_IS_BETTER = {
    "accuracy": True,
    "precision": True,
    "recall": True,
    "f1": True,
    "roc_auc": True,
    "precision_macro": True,
    "recall_macro": True,
    "f1_macro": True,
    "r2": True,
    "mae": False,
    "rmse": False,
}
"""Every measure, and which way is good."""

METRICS = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc"),
    "multiclass": ("accuracy", "precision_macro", "recall_macro", "f1_macro"),
    "regression": ("mae", "rmse", "r2"),
}
"""The measures of each kind, in the order in which they are given."""


def labelled(rows: pa.Table, target: str) -> pa.Table:
    """The rows with an answer and a label; a NaN is neither."""
    import pyarrow.compute as pc

    there = pc.and_(
        pc.invert(pc.is_null(rows[target], nan_is_null=True)),
        pc.invert(pc.is_null(rows[PREDICTION], nan_is_null=True)),
    )
    return rows.filter(there)


def measure(rows: pa.Table, task: Task, level: float) -> Iterator[Check]:
    """Every measure of the task's kind, in the order of `METRICS`.

    Args:
        rows: one or more, each with an answer and a label.
        task: its kind is one of `METRICS`.
        level: the intervals' coverage.

    Raises:
        InvalidInput: labels and answers are of types that never agree.
    """
    truth, answers = rows[task.target], rows[PREDICTION]
    if task.kind == "regression":
        return _regression(_numbers(truth, "labels"), _numbers(answers, "answers"), level)
    true, answered, classes = _as_classes(truth, answers)
    if task.kind == "multiclass":
        return _multiclass(measures.confusion(true, answered, len(classes)), level)
    positive = _place(classes, task.positive)
    scores = _numbers(rows[SCORE], "scores") if SCORE in rows.column_names else None
    return _binary(true == positive, answered == positive, true == answered, scores, level)


def _binary(
    positives: NDArray[np.bool_],
    claims: NDArray[np.bool_],
    right: NDArray[np.bool_],
    scores: Numbers | None,
    level: float,
) -> Iterator[Check]:
    hits = int((positives & claims).sum())
    alarms, misses = int(claims.sum()) - hits, int(positives.sum()) - hits
    yield _share("accuracy", int(right.sum()), len(right), "no row has a label", level)
    yield _share("precision", hits, hits + alarms, "no answer is positive", level)
    yield _share("recall", hits, hits + misses, "no label is positive", level)
    f1 = measures.f1_score(hits, alarms, misses)
    interval = measures.f1_interval(hits, alarms, misses, level)
    yield _check("f1", f1, len(right), interval, "no answer and no label is positive", level)
    if scores is None:
        yield _check("roc_auc", None, len(right), None, "the answers carry no score", level)
        return
    area = measures.roc_auc(scores, positives, level)
    value, interval = area or (None, None)
    yield _check("roc_auc", value, len(right), interval, "all labels are of one class", level)


def _multiclass(counts: NDArray[np.intp], level: float) -> Iterator[Check]:
    import numpy as np

    n, hits = int(counts.sum()), np.diag(counts)
    yield _share("accuracy", int(hits.sum()), n, "no row has a label", level)
    for name, axis in (("precision_macro", 0), ("recall_macro", 1)):
        totals = counts.sum(axis=axis)
        present = totals > 0
        shares = hits[present] / totals[present]
        # A mean of independent proportions: its variance is the mean of theirs over their number.
        spread = (shares * (1 - shares) / totals[present]).sum() / len(shares) ** 2
        value = float(shares.mean())
        interval = measures.normal_interval(value, float(spread) ** 0.5, level, least=0.0, most=1.0)
        yield _check(name, value, n, interval, "", level)
    score = measures.macro_f1(counts, level)
    f1, ends = score or (None, None)
    yield _check("f1_macro", f1, n, ends, "no row has a label", level)


def _regression(truth: Numbers, answers: Numbers, level: float) -> Iterator[Check]:
    errors = abs(answers - truth)
    n = len(errors)
    ends = measures.mean_interval(errors, level)
    yield _check("mae", float(errors.mean()), n, _over_zero(ends), "", level)
    squares = errors**2
    ends = _over_zero(measures.mean_interval(squares, level))
    # The root grows with the mean of the squares: its ends are the roots of those ends.
    roots = None if ends is None else (math.sqrt(ends[0]), math.sqrt(ends[1]))
    yield _check("rmse", math.sqrt(float(squares.mean())), n, roots, "", level)
    spread = float(((truth - truth.mean()) ** 2).sum())
    r2 = 1 - float(squares.sum()) / spread if spread else None
    yield _check("r2", r2, n, None, "all labels are equal", level)


def _share(name: str, some: int, n: int, reason: str, level: float) -> Check:
    value = some / n if n else None
    return _check(name, value, n, measures.wilson(some, n, level), reason, level)


def _check(
    name: str,
    value: float | None,
    n: int,
    interval: measures.Interval | None,
    reason: str,
    level: float,
) -> Check:
    low, high = interval or (None, None)
    if value is None:
        return Check(name=name, n=n, level=level, reason=reason)
    return Check(name=name, value=value, n=n, low=low, high=high, level=level)


def _over_zero(ends: measures.Interval | None) -> measures.Interval | None:
    return None if ends is None else (max(0.0, ends[0]), ends[1])


def _numbers(column: pa.ChunkedArray, what: str) -> Numbers:
    import numpy as np
    import pyarrow as pa

    try:
        values: Numbers = column.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        # Arrow's message quotes the value that it could not read: it stays out of ours.
        msg = f"the {what} are {column.type}: expected numbers"
        raise InvalidInput(msg) from error
    if not np.isfinite(values).all():
        msg = f"some of the {what} are null, NaN or infinite: leave out the rows without a value"
        raise InvalidInput(msg)
    return values


def _as_classes(
    truth: pa.ChunkedArray, answers: pa.ChunkedArray
) -> tuple[Classes, Classes, list[Any]]:
    """Labels and answers as places in one list of classes.

    Python compares them, so that 1, 1.0 and True are one class whatever their width, and "1" is
    another.
    """
    classes: dict[Any, int] = {}
    places = [_placed(column, classes) for column in (truth, answers)]
    kinds = [{isinstance(value, str) for value in _distinct(column)} for column in (truth, answers)]
    if kinds[0].isdisjoint(kinds[1]):
        msg = f"the labels are {truth.type} and the answers {answers.type}: no two are ever equal"
        raise InvalidInput(msg)
    return places[0], places[1], list(classes)


def _placed(column: pa.ChunkedArray, classes: dict[Any, int]) -> Classes:
    import numpy as np

    encoded = column.combine_chunks().dictionary_encode()
    own = [classes.setdefault(value, len(classes)) for value in encoded.dictionary.to_pylist()]
    places: Classes = np.array(own, dtype=np.intp)[encoded.indices.to_numpy()]
    return places


def _distinct(column: pa.ChunkedArray) -> Iterable[Any]:
    found: Iterable[Any] = column.unique().to_pylist()
    return found


def _place(classes: list[Any], wanted: Any) -> int:
    """Where a class stands in the list; -1, the place of no row, where it does not."""
    return classes.index(wanted) if wanted in classes else -1
