"""The signature that a task asks of a model which somebody else has fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from interlock_hookspecs.errors import InvalidInput
from interlock_hookspecs.models import PREDICTION, SCORE, Label, Signature
from interlock_hookspecs.tasks import Field, Task, fields_of

if TYPE_CHECKING:
    import pyarrow as pa

_BINARY = 2


def signature_for(rows: pa.Table, task: Task, inputs: Sequence[str] = ()) -> Signature:
    """The signature of a model of a task: its inputs, the outputs of its kind, the classes.

    Args:
        rows: training rows, with every column of the dataset.
        task: what is predicted.
        inputs: the features in the order that the model was fitted with; the task's features, in
            the order of the rows, where none are given.

    Raises:
        InvalidInput: a column is missing or no feature, or the target does not fit the kind.

    >>> import pyarrow as pa
    >>> task = Task(dataset="rows.csv", target="y", kind="binary", positive=1)
    >>> signature_for(pa.table({"x": [0.5, 1.5], "y": [0, 1]}), task).classes
    (0, 1)
    """
    features = task.features(rows.column_names)
    names = tuple(inputs) or features
    for name in names:
        if name not in features:
            raise InvalidInput(f"{name!r} is no feature of this task: it has {', '.join(features)}")
    if not names:
        raise InvalidInput("no column is left as a feature")
    classes = () if task.kind == "regression" else _classes(rows, task)
    if task.kind == "regression":
        outputs = [PREDICTION]
    elif task.kind == "binary":
        outputs = [SCORE]
    else:
        outputs = [f"{SCORE}[{label}]" for label in classes]
    beside = {
        name: fields_of(rows.select([name]))[0]
        for name in (task.id, task.time)
        if name in rows.column_names
    }
    return Signature(
        kind=task.kind,
        inputs=fields_of(rows.select(list(names))),
        outputs=tuple(Field(name=name, type="double", nullable=False) for name in outputs),
        classes=classes,
        positive=task.positive if task.kind == "binary" else None,
        id=beside.get(task.id or ""),
        time=beside.get(task.time or ""),
    )


def _classes(rows: pa.Table, task: Task) -> tuple[Label, ...]:
    """The target's values, sorted; whole numbers as integers, as a stack file says them."""
    if task.target is None or task.target not in rows.column_names:
        raise InvalidInput(f"the rows have no column {task.target!r}: set [task] target")
    values: set[Any] = set(rows[task.target].unique().to_pylist())
    values.discard(None)
    if any(isinstance(value, float) and not value.is_integer() for value in values):
        raise InvalidInput(f"target {task.target!r} holds numbers that are no classes")
    labels = {int(value) if isinstance(value, float) else value for value in values}
    if task.kind == "binary" and (len(labels) != _BINARY or task.positive not in labels):
        raise InvalidInput(
            f"target {task.target!r} has {len(labels)} classes, and a binary task two, one of "
            "which is [task] positive"
        )
    return tuple(sorted(labels))
