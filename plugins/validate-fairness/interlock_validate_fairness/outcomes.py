"""From a candidate and held-out rows to what is counted by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import (
    PREDICTION,
    InvalidInput,
    Predictor,
    Task,
    Unsupported,
    decide,
    is_positive,
)
from interlock_validate_fairness.measures import Measure, mean, rate

if TYPE_CHECKING:
    import pyarrow as pa


def outcomes(predictor: Predictor, rows: pa.Table, task: Task) -> list[Measure]:
    """The measures of a task's kind, on rows that the candidate answers once.

    Raises:
        Unsupported: the kind is not measured here.
        InvalidInput: a label or an answer is missing.
    """
    kinds = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}
    if task.kind not in kinds:
        msg = f"[task] kind = {task.kind!r} is none that fairness measures: {', '.join(kinds)}"
        raise Unsupported(msg)
    target = _target(rows, task)
    predictions = predictor.predict(rows)
    for name in predictions.column_names:
        _refuse_gaps(predictions[name], f"the model's {name!r}")
    answers = decide(predictions, predictor.signature, task.threshold)[PREDICTION]
    return kinds[task.kind](target, answers.combine_chunks(), task)


def _binary(target: pa.Array, answers: pa.Array, task: Task) -> list[Measure]:
    truth, called = (is_positive(column, task) for column in (target, answers))
    return [
        rate("selection_rate", called),
        rate("tpr", called, truth, "no row of the group is positive"),
        rate("fpr", called, ~truth, "every row of the group is positive"),
    ]


def _multiclass(target: pa.Array, answers: pa.Array, task: Task) -> list[Measure]:  # noqa: ARG001  (one call for every kind)
    import numpy as np
    import pyarrow.compute as pc

    truth, called = (np.array([_text(v) for v in c.to_pylist()]) for c in (target, answers))
    labels = sorted({_text(label) for label in pc.unique(answers).to_pylist()})
    shares = [rate(f"selection_rate:{label}", called == label) for label in labels]
    return [rate("accuracy", truth == called), *shares]


def _regression(target: pa.Array, answers: pa.Array, task: Task) -> list[Measure]:
    import numpy as np
    import pyarrow as pa

    try:
        truth, predicted = (
            np.asarray(column.cast(pa.float64(), safe=False)) for column in (target, answers)
        )
    except pa.ArrowException:
        msg = f"the target {task.target!r} is {target.type}: a regression needs numbers"
        raise InvalidInput(msg) from None
    error = predicted - truth
    return [
        mean("mean_prediction", predicted),
        mean("mean_error", error),
        mean("mae", np.abs(error)),
    ]


def _target(rows: pa.Table, task: Task) -> pa.Array:
    import pyarrow.types as t

    if task.target is None or task.target not in rows.column_names:
        msg = f"the held-out rows have no target {task.target!r}: set [task] target"
        raise InvalidInput(msg)
    column = rows[task.target]
    if t.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if rows.num_rows == 0:
        msg = "there are no held-out rows to compare groups on"
        raise InvalidInput(msg)
    _refuse_gaps(column, f"the target {task.target!r}")
    return column.combine_chunks()


def _refuse_gaps(column: pa.ChunkedArray, name: str) -> None:
    import pyarrow.compute as pc
    import pyarrow.types as t

    missing = column.null_count
    if t.is_floating(column.type):
        missing = len(column) - (pc.sum(pc.is_finite(column)).as_py() or 0)
    if missing:
        msg = f"{name} is null, NaN or infinite in {missing} of {len(column)} held-out rows"
        raise InvalidInput(msg)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
