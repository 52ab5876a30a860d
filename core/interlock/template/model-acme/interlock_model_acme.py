"""A model format: replace the JSON by the files of your library."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Field,
    InvalidInput,
    Model,
    Predictor,
    Signature,
    Unsupported,
    Workspace,
    hookimpl,
    input_column,
    is_number,
    plugin,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

KINDS = ("binary", "multiclass", "regression")
LARGEST = 16 << 20


@attrs.frozen(kw_only=True)
class Linear:
    """A linear model: a row of weights and an intercept for each output.

    Attributes:
        weights: for each output a number for each input, in the signature's order.
        intercepts: for each output.
    """

    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]


@plugin(contract="1.0")
class AcmeFormat:
    """Writes a linear model as JSON, and opens it again."""

    @hookimpl
    def write_model(
        self,
        format: str,  # noqa: A002  (the contract's own word)
        fitted: Any,
        signature: Signature,
        ws: Workspace,
    ) -> Model:
        if not isinstance(fitted, Linear):
            raise Unsupported(f"{type(fitted).__name__} is no linear model of {format}")
        if signature.kind not in KINDS:
            raise Unsupported(f"{format} holds {', '.join(KINDS)}, and no {signature.kind}")
        for field in signature.inputs:
            if not is_number(field.type):
                raise Unsupported(f"the input {field.name!r} is {field.type}, and no number")
        try:
            text = json.dumps(attrs.asdict(sound(fitted, signature)), allow_nan=False)
        except ValueError as error:
            raise Unsupported(f"the model is not one of its signature: {error}") from error
        path = ws.scratch() / "model.json"
        path.write_text(text, encoding="utf-8")
        return Model(
            format=format,
            artifact=ws.keep(path),
            signature=signature,
            requirements=("interlock-model-acme",),
        )

    @hookimpl
    def open_model(self, model: Model, ws: Workspace) -> Predictor:
        path = ws.locate(model.artifact)  # the digest is checked there, before a byte is read
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise InvalidInput(f"{model.artifact.name} is no file of at most {LARGEST} bytes")
        try:
            read = json.loads(path.read_text(encoding="utf-8"), parse_constant=refused)
            found = sound(Linear(**read), model.signature)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(f"{model.artifact.name} holds no linear model") from error
        return LinearPredictor(signature=model.signature, linear=found)


def sound(linear: Linear, signature: Signature) -> Linear:
    """The model with plain finite numbers, as many as the signature has outputs and inputs.

    Raises:
        TypeError, ValueError: it holds something else.
    """
    weights = tuple(tuple(map(number, row)) for row in linear.weights)
    intercepts = tuple(map(number, linear.intercepts))
    shape = (len(signature.outputs), [len(signature.inputs)] * len(signature.outputs))
    if (len(intercepts), [len(row) for row in weights]) != shape:
        raise ValueError("there are other numbers of weights than of inputs and outputs")
    return Linear(weights=weights, intercepts=intercepts)


def number(value: object) -> float:
    """A finite number; texts and truth values are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a weight is no finite number")
    return float(value)


def refused(name: str) -> float:
    """What JSON reads NaN and infinity by."""
    raise ValueError(name)


@attrs.frozen(kw_only=True)
class LinearPredictor:
    """An opened linear model."""

    signature: Signature
    linear: Linear

    def predict(self, rows: pa.Table) -> pa.Table:
        """Score rows; see `interlock_hookspecs.Predictor`."""
        import numpy as np
        import pyarrow as pa

        columns = [column_of(rows, field) for field in self.signature.inputs]
        sums = np.zeros((rows.num_rows, len(self.linear.intercepts)))
        for output, (row, start) in enumerate(
            zip(self.linear.weights, self.linear.intercepts, strict=True)
        ):
            # Column by column, so that a row has one answer whatever rows are beside it.
            sums[:, output] = sum(
                (weight * column for weight, column in zip(row, columns, strict=True)), start
            )
        if not np.isfinite(sums).all():
            raise InvalidInput("the rows hold numbers that are too large for the model")
        if self.signature.kind == "binary":
            sums = np.exp(-np.logaddexp(0, -sums))
        elif self.signature.kind == "multiclass":
            with np.errstate(over="ignore"):  # a sum that is far below the largest counts nothing
                sums = np.exp(sums - sums.max(axis=1, keepdims=True, initial=-np.inf))
            sums /= sums.sum(axis=1, keepdims=True)
        names = [field.name for field in self.signature.outputs]
        return pa.Table.from_arrays([pa.array(column) for column in sums.T], names=names)


def column_of(rows: pa.Table, field: Field) -> np.ndarray[Any, Any]:
    """An input as float64.

    Raises:
        InvalidInput: it is missing, no number, or holds a null or an infinity.
    """
    import numpy as np

    column = input_column(rows, field)
    if column.null_count:
        raise InvalidInput(f"the column {field.name!r} holds a null")
    found = np.asarray(column)
    if not np.isfinite(found).all():
        raise InvalidInput(f"the column {field.name!r} holds a number that is not finite")
    return found
