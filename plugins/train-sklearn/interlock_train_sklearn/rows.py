"""From training rows to the matrix and the labels that an estimator is fitted to.

What a model is given later follows from its signature alone, so both sides keep one convention:
a number or Boolean becomes float64 with NaN for null; where all features are such, the matrix is
float64 and C-ordered, a column a feature in the signature's order; where a string is among them,
it is an object matrix with ``str`` and None in the columns of strings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    SCORE,
    Field,
    InvalidInput,
    Label,
    Signature,
    Task,
    Unsupported,
    fields_of,
    is_number,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KINDS = ("binary", "multiclass", "regression")
_TIMES = ("timestamp", "date", "time", "duration")


@attrs.frozen(kw_only=True, eq=False)
class Features:
    """The features of some rows, each as one Arrow array: float64, or string.

    Attributes:
        fields: as the signature will name them.
        columns: in the same order.
        rows: how many.
    """

    fields: tuple[Field, ...]
    columns: tuple[Any, ...]
    rows: int

    def matrix(self, rows: int | None = None) -> np.ndarray:
        """The convention's matrix, of the first rows or of all."""
        import numpy as np

        rows = self.rows if rows is None else rows
        numeric = all(is_number(field.type) for field in self.fields)
        matrix = np.empty((rows, len(self.fields)), np.float64 if numeric else object)
        for place, column in enumerate(self.columns):
            matrix[:, place] = column.slice(0, rows).to_numpy(zero_copy_only=False)
        return matrix


def read_features(rows: pa.Table, task: Task) -> Features:
    """The task's features.

    Raises:
        InvalidInput: there are none, no rows, or one is of a type that cannot be learnt from.
    """
    names = task.features(rows.column_names)
    if not names:
        raise InvalidInput(
            "no column is left as a feature: all are the id, the target, the time or excluded"
        )
    if not rows.num_rows:
        raise InvalidInput("there are no training rows")
    fields = fields_of(rows.select(list(names)))
    for field in fields:
        _check_type(field)
    columns = tuple(_array(rows[field.name], field) for field in fields)
    return Features(fields=fields, columns=columns, rows=rows.num_rows)


def _check_type(field: Field) -> None:
    if is_number(field.type) or field.type == "string":
        return
    if field.type == "null":
        advice = "it is empty: put it in [task] exclude"
    elif field.type.startswith(_TIMES):
        advice = (
            "make a number of it (an age, an hour, a count of days), or name it in [task] time "
            "or exclude"
        )
    else:
        advice = "features are numbers, Booleans and strings: convert it, or put it in exclude"
    raise InvalidInput(f"column {field.name!r} is {field.type}; {advice}")


def _array(column: pa.ChunkedArray, field: Field) -> Any:
    import pyarrow as pa

    wanted = pa.float64() if is_number(field.type) else pa.string()
    if column.type != wanted:
        if field.type == "bool":
            column = column.cast(pa.uint8())
        column = column.cast(wanted, safe=False)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


@attrs.frozen(kw_only=True, eq=False)
class Target:
    """What is to be predicted: the values, and a classifier's classes.

    Attributes:
        values: one a row: float64 for a regression, the labels themselves otherwise.
        classes: sorted; empty for a regression.
        positive: for ``binary``.
    """

    values: np.ndarray
    classes: tuple[Label, ...] = ()
    positive: Label | None = None


def read_target(rows: pa.Table, task: Task) -> Target:
    """The task's target.

    Raises:
        Unsupported: the task's kind is not served.
        InvalidInput: the column is missing, holds nulls, or does not fit the kind.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if task.kind not in KINDS:
        raise Unsupported(f"train-sklearn serves the kinds {', '.join(KINDS)}, not {task.kind!r}")
    if task.target is None:
        raise InvalidInput("[task] names no target: training needs target = '...'")
    if task.target not in rows.column_names:
        raise InvalidInput(f"the rows have no column {task.target!r}: set [task] target")
    if not rows.num_rows:
        raise InvalidInput("there are no training rows")
    column = rows[task.target]
    (field,) = fields_of(rows.select([task.target]))
    missing = column.null_count
    if field.type in ("float", "double", "halffloat"):
        missing += pc.sum(pc.is_nan(column)).as_py() or 0
    if missing:
        raise InvalidInput(
            f"target {task.target!r} has {missing} rows without a label: drop or label them"
        )
    if task.kind == "regression":
        if not is_number(field.type) or field.type == "bool":
            raise InvalidInput(f"target {task.target!r} is {field.type}: regression needs numbers")
        values = column.cast(pa.float64(), safe=False).to_numpy()
        if not np.isfinite(values).all():
            raise InvalidInput(f"target {task.target!r} holds an infinite number")
        return Target(values=values)
    return _classes(_labels(column, field), task)


def _labels(column: pa.ChunkedArray, field: Field) -> np.ndarray:
    """Labels as int64, bool or text: as a person writes them in a stack file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if field.type == "string":
        labels: np.ndarray = column.cast(pa.string()).to_numpy().astype(str)
        return labels
    if field.type == "bool":
        return np.asarray(column.to_numpy())
    if is_number(field.type):
        numbers = column.cast(pa.float64(), safe=False)
        if (
            field.type.startswith(("int", "uint"))
            or pc.all(pc.equal(pc.floor(numbers), numbers)).as_py()
        ):
            return np.asarray(column.cast(pa.int64(), safe=False).to_numpy())
    raise InvalidInput(
        f"target {field.name!r} is {field.type}: classes are integers, strings or Booleans"
    )


def _classes(labels: np.ndarray, task: Task) -> Target:
    import numpy as np

    classes: tuple[Label, ...] = tuple(np.unique(labels).tolist())
    if len(classes) == 1:
        raise InvalidInput(f"target {task.target!r} has one class only: there is nothing to learn")
    if task.kind == "multiclass":
        return Target(values=labels, classes=classes)
    if len(classes) != 2:  # noqa: PLR2004  (binary)
        raise InvalidInput(
            f"target {task.target!r} has {len(classes)} classes: set [task] kind = 'multiclass'"
        )
    if task.positive not in classes or isinstance(task.positive, str) != isinstance(
        classes[0], str
    ):
        raise InvalidInput(
            f"[task] positive = {task.positive!r} is not among the classes of "
            f"{task.target!r}, which are of type {type(classes[0]).__name__}"
        )
    positive = classes[classes.index(task.positive)]
    return Target(values=labels, classes=classes, positive=positive)


def make_signature(rows: pa.Table, task: Task, features: Features, target: Target) -> Signature:
    """What the fitted model will take and give."""
    aside = {name: _field_of(rows, name) for name in (task.id, task.time) if name is not None}
    if task.kind == "regression":
        outputs = ["prediction"]
    elif task.kind == "binary":
        outputs = [SCORE]
    else:
        outputs = [f"{SCORE}[{label}]" for label in target.classes]
    return Signature(
        kind=task.kind,
        inputs=features.fields,
        outputs=tuple(Field(name=name, type="double", nullable=False) for name in outputs),
        classes=target.classes,
        positive=target.positive,
        id=aside.get(task.id or ""),
        time=aside.get(task.time or ""),
    )


def _field_of(rows: pa.Table, name: str) -> Field | None:
    return fields_of(rows.select([name]))[0] if name in rows.column_names else None
