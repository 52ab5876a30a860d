"""From an Arrow table to an ONNX model's inputs, and from its outputs to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Field, InvalidInput, Signature, logical_type
from interlock_model_onnx.conversion import NULL, is_number

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


class OnnxPredictor:
    """A runtime session behind a signature. Safe to call from several threads at once.

    Args:
        signature: whose inputs are the model's, in their order.
        session: an ``onnxruntime.InferenceSession``.
        classes: for each output of the signature, its column in the model's probabilities.

    Raises:
        InvalidInput: the model's inputs or outputs are not the signature's.
    """

    def __init__(self, signature: Signature, session: Any, classes: tuple[int, ...]) -> None:
        import numpy as np

        self._signature = signature
        self._session = session
        self._classes = classes
        self._null = session.get_modelmeta().custom_metadata_map.get(NULL, "")
        kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(string)": None}
        found, inputs = session.get_inputs(), signature.inputs
        # One that was converted elsewhere may take all its numbers as one matrix.
        self._matrix = found[0].name if _is_matrix(found, len(inputs)) else ""
        if self._matrix:
            found = found * len(inputs)
        if len(found) != len(inputs) or not {each.type for each in found} <= kinds.keys():
            raise InvalidInput("the model's inputs are not the ones of its signature")
        # By place: a name that is no identifier reads otherwise in the file.
        self._inputs = [
            (each.name, kinds[each.type], field) for each, field in zip(found, inputs, strict=True)
        ]
        self._output = [each.name for each in session.get_outputs()][-1]

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self._signature

    def predict(self, rows: pa.Table) -> pa.Table:
        """Score rows; see `interlock_hookspecs.Predictor`.

        Raises:
            InvalidInput: a column is missing, of another type, or holds an infinite number.
        """
        import numpy as np
        import pyarrow as pa

        names = [field.name for field in self._signature.outputs]
        columns = [(name, self._input(rows, field, kind)) for name, kind, field in self._inputs]
        if not rows.num_rows:
            return pa.table({name: pa.array([], pa.float64()) for name in names})
        given = dict(columns)
        if self._matrix:
            given = {self._matrix: np.hstack([column for _, column in columns])}
        (found,) = self._session.run([self._output], given)
        values = np.asarray(found, np.float64).reshape(rows.num_rows, -1)
        scores = [np.ascontiguousarray(values[:, place]) for place in self._classes]
        return pa.Table.from_arrays([pa.array(column) for column in scores], names=names)

    def _input(self, rows: pa.Table, field: Field, kind: Any) -> np.ndarray:
        import numpy as np
        import pyarrow as pa

        place = rows.schema.get_field_index(field.name)
        if place < 0:
            raise InvalidInput(f"the rows have no column {field.name!r}, which the model takes")
        column = rows.column(place)
        found = logical_type(column.type)
        fits = found == "string" if kind is None else is_number(found)
        if not fits and found != "null":
            raise InvalidInput(f"column {field.name!r} is {found}, the model takes {field.type}")
        if kind is None:
            texts = column.cast(pa.string()).fill_null(self._null)
            return np.asarray(texts.to_pylist(), object).reshape(-1, 1)
        if found == "bool":
            column = column.cast(pa.uint8())
        values: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
        if np.isinf(values).any():
            raise InvalidInput(f"column {field.name!r} holds an infinite number")
        return values.astype(kind, copy=False).reshape(-1, 1)


def _is_matrix(found: list[Any], width: int) -> bool:
    """Whether a model's one input is a matrix of so many numbers a row."""
    return (
        len(found) == 1
        and width > 1
        and len(found[0].shape) == 2  # noqa: PLR2004  (rows and columns)
        and found[0].shape[1] in (width, None)
        and found[0].type in ("tensor(double)", "tensor(float)")
    )
