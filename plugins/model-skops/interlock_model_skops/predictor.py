"""From an Arrow table to what a fitted estimator takes, and from what it gives to a table.

The convention, by the signature alone (train-sklearn fits by the same):

- A number or Boolean becomes float64, null becomes NaN.
- Where all inputs are such, the estimator is given a C-ordered float64 matrix, a column an input
  in the signature's order.
- Where a string is among them, it is given an object matrix: floats and NaN in the columns of
  numbers, ``str`` and None in those of strings.
- A classifier's ``classes_`` are the signature's classes, in any order.
- One that was fitted to a frame elsewhere names its columns: they are the signature's inputs.

Where a pipeline begins with a ``ColumnTransformer`` of `OrdinalEncoder` and ``passthrough`` alone,
its output is computed from Arrow at once, without the object matrix in between: equal numbers,
an order of magnitude sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import (
    Field,
    InvalidInput,
    Signature,
    Unsupported,
    input_column,
    is_number,
)
from interlock_model_skops.encoding import make_encoder

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KINDS = ("binary", "multiclass", "regression")
_FEW_ROWS = 512  # under this, starting OpenMP's threads costs more than they save


class SkopsPredictor:
    """A fitted estimator behind a signature. Safe to call from several threads at once."""

    def __init__(self, signature: Signature, fitted: Any) -> None:
        self._signature = signature
        self.fitted = fitted
        _check_names(signature, fitted)
        self._matrix, self._fitted = _first_step(signature, fitted)
        self._order = class_order(signature, fitted)
        self._single = _single_threaded(fitted)

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self._signature

    def predict(self, rows: pa.Table) -> pa.Table:
        """Score rows; see `interlock_hookspecs.Predictor`.

        Raises:
            InvalidInput: a column is missing, of another type, or holds an infinite number.
        """
        import pyarrow as pa

        names = [field.name for field in self._signature.outputs]
        columns = [input_column(rows, field) for field in self._signature.inputs]
        if not rows.num_rows:
            return pa.table({name: pa.array([], pa.float64()) for name in names})
        matrix = self._matrix(columns, rows.num_rows)
        try:
            outputs = self._outputs(matrix)
        except ValueError as error:
            _refuse_infinite(columns, self._signature.inputs, error)
            raise
        return pa.Table.from_arrays([pa.array(values) for values in outputs], names=names)

    def _outputs(self, matrix: Any) -> list[np.ndarray]:
        import numpy as np

        with self._single(len(matrix)):
            if self._signature.kind == "regression":
                return [np.asarray(self._fitted.predict(matrix), np.float64).ravel()]
            scores = np.asarray(self._fitted.predict_proba(matrix), np.float64)
        return [np.ascontiguousarray(scores[:, place]) for place in self._order]


def class_order(signature: Signature, fitted: Any) -> list[int]:
    """For each output of a classifier, which column of ``predict_proba`` it is.

    Raises:
        Unsupported: the kind is not served, or the estimator gives no probabilities.
        InvalidInput: its classes are not the signature's.
    """
    if signature.kind not in KINDS:
        raise Unsupported(f"skops models serve {', '.join(KINDS)}, not {signature.kind!r}")
    if signature.kind == "regression":
        return []
    if not hasattr(fitted, "predict_proba"):
        raise Unsupported(
            f"{type(fitted).__name__} gives no probabilities: wrap it in "
            "sklearn.calibration.CalibratedClassifierCV"
        )
    classes = fitted.classes_.tolist()
    if len(classes) != len(signature.classes) or set(classes) != set(signature.classes):
        raise InvalidInput("the estimator's classes are not the ones of its signature")
    wanted = (signature.positive,) if signature.kind == "binary" else signature.classes
    return [classes.index(label) for label in wanted]


def _check_names(signature: Signature, fitted: Any) -> None:
    """Compare the names that an estimator saw with the signature's, and let it see none again.

    It is given columns by their place, of which it would warn at each call.

    Raises:
        InvalidInput: it was fitted to other columns, or to these in another order.
    """
    from interlock_model_skops.checks import reachable

    names = getattr(fitted, "feature_names_in_", None)
    if names is not None and list(names) != [field.name for field in signature.inputs]:
        raise InvalidInput(f"it was fitted to the columns {', '.join(map(str, names))}")
    for part in list(reachable(fitted)):
        getattr(part, "__dict__", {}).pop("feature_names_in_", None)


def _float_matrix(columns: list[Any], rows: int) -> np.ndarray:
    import numpy as np

    matrix = np.empty((rows, len(columns)))
    for place, column in enumerate(columns):
        matrix[:, place] = column.to_numpy(zero_copy_only=False)
    return matrix


def _object_matrix(columns: list[Any], rows: int) -> np.ndarray:
    import numpy as np

    matrix = np.empty((rows, len(columns)), object)
    for place, column in enumerate(columns):
        matrix[:, place] = column.to_numpy(zero_copy_only=False)
    return matrix


def _first_step(signature: Signature, fitted: Any) -> tuple[Callable[[list[Any], int], Any], Any]:
    """How to make the matrix, and what it is given to."""
    from sklearn.pipeline import Pipeline

    if type(fitted) is Pipeline and len(fitted.steps) > 1:
        encode = make_encoder(fitted.steps[0][1], signature)
        if encode is not None:
            rest = fitted[1:]
            return encode, rest.steps[0][1] if len(rest.steps) == 1 else rest
    if all(is_number(field.type) for field in signature.inputs):
        return _float_matrix, fitted
    return _object_matrix, fitted


def _single_threaded(fitted: Any) -> Callable[[int], Any]:
    """A context for a call with so many rows: few are predicted by one OpenMP thread.

    The number of threads is the calling thread's own in OpenMP, so calls do not disturb others.
    """
    from contextlib import nullcontext

    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    from interlock_model_skops.checks import reachable

    boosting = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    if not any(isinstance(part, boosting) for part in reachable(fitted)):
        return lambda _: nullcontext()
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController().select(user_api="openmp")
    return lambda rows: controller.limit(limits=1) if rows < _FEW_ROWS else nullcontext()


def _refuse_infinite(columns: list[Any], fields: tuple[Field, ...], error: ValueError) -> None:
    import pyarrow.compute as pc

    for column, field in zip(columns, fields, strict=True):
        if is_number(field.type) and pc.any(pc.is_inf(column)).as_py():
            raise InvalidInput(f"column {field.name!r} holds an infinite number") from error
