"""From a predictor and rows to what a kind measures: truth beside scores, as numpy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import (
    PREDICTION,
    SCORE,
    InvalidInput,
    Predictor,
    Task,
    is_positive,
    score_columns,
)
from interlock_validate_metrics import binary, multiclass, regression

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs import Signature
    from interlock_validate_metrics.estimates import Floats, Ints

Scored = binary.Scored | multiclass.Scored | regression.Scored


def score(predictor: Predictor, rows: pa.Table, task: Task, which: str) -> Scored:
    """Score rows once, beside their truth.

    Args:
        predictor: the model.
        rows: with the target.
        task: kind, target, positive class and threshold.
        which: the rows' name in a message.

    Raises:
        InvalidInput: a label or a score is missing, or the model is of another kind.
    """
    import numpy as np

    signature = predictor.signature
    if signature.kind != task.kind:
        msg = f"the model is of kind {signature.kind!r}, the task of kind {task.kind!r}"
        raise InvalidInput(msg)
    target = target_column(rows, task, which)
    predictions = predictor.predict(rows)
    if task.kind == "binary":
        scores = _numbers(predictions, SCORE, which)
        _probabilities(scores, which)
        return binary.Scored(is_positive(target, task), scores, scores >= task.threshold)
    if task.kind == "multiclass":
        columns = [_numbers(predictions, name, which) for name in score_columns(signature)]
        scores = np.column_stack(columns)
        _probabilities(scores, which)
        labels = tuple(str(label) for label in signature.classes)
        truth = class_codes(target, signature)
        return multiclass.Scored(labels, truth, scores, np.argmax(scores, axis=1))
    return regression.Scored(numbers(target, task), _numbers(predictions, PREDICTION, which))


def truth_of(rows: pa.Table, task: Task, like: Scored) -> Any:
    """The truth of rows, in the form in which some scored rows hold theirs."""
    target = target_column(rows, task, "training")
    if isinstance(like, binary.Scored):
        return is_positive(target, task)
    if isinstance(like, multiclass.Scored):
        return _codes(target, like.classes)
    return numbers(target, task)


def trivial(held: Scored, training_truth: Any) -> Scored:
    """The same rows as a model sees them that knows the training target's shares, or mean, only."""
    import numpy as np

    if isinstance(held, binary.Scored):
        return held._replace(scores=np.full(len(held.truth), training_truth.mean()))
    if isinstance(held, multiclass.Scored):
        k = len(held.classes)
        shares = np.bincount(training_truth, minlength=k)[:k] / len(training_truth)
        return held._replace(scores=np.tile(shares, (len(held.truth), 1)))
    return held._replace(predicted=np.full(len(held.truth), training_truth.mean()))


def target_column(rows: pa.Table, task: Task, which: str) -> pa.Array:
    """The target, in one piece and not dictionary-encoded.

    Raises:
        InvalidInput: the task names none, it is not there, or a row has no label.
    """
    import pyarrow.compute as pc
    import pyarrow.types as t

    if task.target is None:
        msg = "[task] target is not set: there is nothing to compare a model with"
        raise InvalidInput(msg)
    if task.target not in rows.column_names:
        msg = f"the {which} rows have no column {task.target!r}: set [task] target"
        raise InvalidInput(msg)
    column = rows[task.target]
    if t.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    missing = column.null_count
    if t.is_floating(column.type):
        missing = rows.num_rows - pc.sum(pc.is_finite(column)).as_py() if rows.num_rows else 0
    if missing:
        msg = (
            f"the target {task.target!r} is null, NaN or infinite in {missing} of {rows.num_rows} "
            f"{which} rows: drop them, or label them"
        )
        raise InvalidInput(msg)
    return column.combine_chunks()


def class_codes(target: pa.Array, signature: Signature) -> Ints:
    """Each row's class as an index into the signature's; their number for one not among them."""
    return _codes(target, tuple(str(label) for label in signature.classes))


def _codes(target: pa.Array, labels: tuple[str, ...]) -> Ints:
    # By their text: a class is an int to the signature and perhaps a double to the file.
    import numpy as np
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(target)
    places = {label: index for index, label in enumerate(labels)}
    known = [places.get(_label(value), len(labels)) for value in encoded.dictionary.to_pylist()]
    codes: Ints = np.asarray(known, dtype=np.int64)[encoded.indices.to_numpy()]
    return codes


def _label(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers(target: pa.Array, task: Task) -> Floats:
    """A regression's target as floats.

    Raises:
        InvalidInput: it holds no numbers.
    """
    import numpy as np
    import pyarrow as pa

    try:
        values = target.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except pa.ArrowException:
        msg = f"the target {task.target!r} is {target.type}: a regression needs numbers"
        raise InvalidInput(msg) from None
    return np.asarray(values, dtype=np.float64)


def _numbers(predictions: pa.Table, name: str, which: str) -> Floats:
    import numpy as np

    if name not in predictions.column_names:
        msg = f"the model gave no column {name!r} for the {which} rows"
        raise InvalidInput(msg)
    values = np.asarray(predictions[name].to_numpy(), dtype=np.float64)
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        msg = f"the model gave no finite {name!r} for {wrong} of {len(values)} {which} rows"
        raise InvalidInput(msg)
    return values


def _probabilities(scores: Floats, which: str) -> None:
    # Rounding may leave a probability a hair outside; a decision value is far outside.
    tolerance = 1e-6
    if scores.size and (scores.min() < -tolerance or scores.max() > 1 + tolerance):
        msg = f"the model's scores of the {which} rows are not within 0 and 1"
        raise InvalidInput(msg)
