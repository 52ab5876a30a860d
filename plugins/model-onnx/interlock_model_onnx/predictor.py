"""A predictor over an ONNX model: what a table holds, handed to the runtime and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import InvalidInput, Signature, input_place
from interlock_model_onnx.inputs import NULL

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@attrs.frozen
class _Plan:
    """How tables of one schema become the model's inputs.

    Attributes:
        schema: theirs.
        texts, numbers: for each input of text and of numbers, its column's place.
        doubles: whether the numbers are doubles, which Arrow copies at once.
    """

    schema: pa.Schema
    texts: tuple[int, ...]
    numbers: tuple[int, ...]
    doubles: bool


class OnnxPredictor:
    """A runtime session behind a signature. Safe to call from several threads at once.

    Args:
        signature: whose inputs are the model's, in their order.
        session: an ``onnxruntime.InferenceSession``.
        classes: for each output of the signature, its column in the model's probabilities.

    Raises:
        InvalidInput: the model's inputs or outputs are not the signature's.
    """

    prompt = True
    """The file's operators were checked: none waits, none repeats as often as the data says."""

    def __init__(self, signature: Signature, session: Any, classes: tuple[int, ...]) -> None:
        import numpy as np

        self._signature = signature
        self._session = session
        first = classes[0]
        straight = list(classes) == list(range(first, first + len(classes)))
        self._classes = slice(first, first + len(classes)) if straight else list(classes)
        self._null = session.get_modelmeta().custom_metadata_map.get(NULL, "")
        kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(string)": None}
        found, inputs = session.get_inputs(), signature.inputs
        # One that takes nothing but numbers takes them as one matrix: see `gathering.gathered`.
        self._matrix = found[0].name if _is_matrix(found, len(inputs)) else ""
        if self._matrix:
            found = found * len(inputs)
        if len(found) != len(inputs) or not {each.type for each in found} <= kinds.keys():
            raise InvalidInput("the model's inputs are not the ones of its signature")
        # By place: a name that is no identifier reads otherwise in the file.
        planned = [
            (each.name, kinds[each.type], field) for each, field in zip(found, inputs, strict=True)
        ]
        self._texts = [(name, field) for name, kind, field in planned if kind is None]
        self._numbers = [(name, kind, field) for name, kind, field in planned if kind is not None]
        self._kinds = {kind for _, kind, _ in self._numbers}
        self._output = [each.name for each in session.get_outputs()][-1]
        self._names = [field.name for field in signature.outputs]
        self._plan: _Plan | None = None

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

        given = self._given(rows)
        if not rows.num_rows:
            return pa.table({name: pa.array([], pa.float64()) for name in self._names})
        columns = np.ascontiguousarray(self._scores(given, rows.num_rows).T)
        return pa.Table.from_arrays([pa.array(column) for column in columns], names=self._names)

    def predict_numbers(self, rows: np.ndarray) -> np.ndarray:
        """Score rows of numbers alone; see `interlock_hookspecs.Predictor`.

        Raises:
            InvalidInput: a row holds an infinite number.
        """
        return self._scores(self._fed(rows.T), len(rows))

    def _scores(self, given: dict[str, np.ndarray], rows: int) -> np.ndarray:
        """What the model says, [rows, outputs]."""
        import numpy as np

        (found,) = self._session.run([self._output], given)
        values: np.ndarray = np.asarray(found, np.float64).reshape(rows, -1)[:, self._classes]
        return values

    def _given(self, rows: pa.Table) -> dict[str, np.ndarray]:
        """The model's inputs: [n, 1] each, or all of them in one [n, k]."""
        plan = self._plan
        if plan is None or not plan.schema.equals(rows.schema):
            # Tables of a server are alike. Of two threads that plan at once, one is for nothing.
            self._plan = plan = self._planned(rows.schema)
        given = {
            name: _text(rows.column(place), self._null)
            for (name, _), place in zip(self._texts, plan.texts, strict=True)
        }
        return given | self._fed(_matrix(rows, plan)) if self._numbers else given

    def _fed(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """The model's inputs out of the numbers, a row for each column."""
        import numpy as np

        self._check_finite(numbers)
        if self._matrix:
            (kind,) = self._kinds
            return {self._matrix: np.ascontiguousarray(numbers.T, kind)}
        # Contiguous columns: the runtime would copy others one by one.
        of_kind = {kind: np.ascontiguousarray(numbers, kind)[:, :, None] for kind in self._kinds}
        return {name: of_kind[kind][row] for row, (name, kind, _) in enumerate(self._numbers)}

    def _planned(self, schema: pa.Schema) -> _Plan:
        """The plan for a schema.

        Raises:
            InvalidInput: it lacks a column, or has one of another type.
        """
        import pyarrow as pa

        numbers = tuple(input_place(schema, field) for _, _, field in self._numbers)
        return _Plan(
            schema=schema,
            texts=tuple(input_place(schema, field) for _, field in self._texts),
            numbers=numbers,
            doubles=all(schema.field(place).type == pa.float64() for place in numbers),
        )

    def _check_finite(self, numbers: np.ndarray) -> None:
        import numpy as np

        # One pass where all is well; what is missing is looked at again. No product of
        # vectors: BLAS would wake its threads for it, which costs more than the model.
        if np.isfinite(numbers).all():
            return
        infinite = np.isinf(numbers)
        if infinite.any():
            _, _, field = self._numbers[int(infinite.any(axis=1).argmax())]
            raise InvalidInput(f"column {field.name!r} holds an infinite number")


def _is_matrix(found: list[Any], width: int) -> bool:
    """Whether a model's one input is a matrix of so many numbers a row."""
    return (
        len(found) == 1
        and width > 1
        and len(found[0].shape) == 2  # noqa: PLR2004  (rows and columns)
        and found[0].shape[1] in (width, None)
        and found[0].type in ("tensor(double)", "tensor(float)")
    )


def _text(column: pa.ChunkedArray, null: str) -> np.ndarray:
    import numpy as np
    import pyarrow as pa

    # Of few rows each call of Arrow costs more than what it does.
    texts = (column if column.type == pa.string() else column.cast(pa.string())).to_pylist()
    if column.null_count:
        texts = [null if text is None else text for text in texts]
    return np.asarray(texts, object).reshape(-1, 1)


def _matrix(rows: pa.Table, plan: _Plan) -> np.ndarray:
    """The numbers of a table as doubles, a row for each column, null as NaN."""
    import numpy as np
    import pyarrow as pa

    if plan.doubles and rows.num_rows:
        in_order = plan.numbers == tuple(range(rows.num_columns))
        chosen = rows if in_order else rows.select(plan.numbers)
        batches = chosen.to_batches()
        if len(batches) > 1:
            batches = chosen.combine_chunks().to_batches()
        tensor = batches[0].to_tensor(null_to_nan=True, row_major=False)
        matrix: np.ndarray = tensor.to_numpy().T
        return matrix
    matrix = np.empty((len(plan.numbers), rows.num_rows))
    for row, place in enumerate(plan.numbers):
        column = rows.column(place)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        matrix[row] = column.cast(pa.float64(), safe=False).to_numpy()
    return matrix
