"""The first step of a pipeline that is all ordinal encoders, computed from Arrow columns.

scikit-learn encodes an object matrix, value by value; Arrow looks a whole column up at once. The
codes are equal; the object matrix is never made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import Signature, is_number

if TYPE_CHECKING:
    import numpy as np

_FEW_ROWS = 32  # under this, starting Arrow's kernels costs more than they save


@attrs.frozen(kw_only=True, eq=False)
class _Output:
    """A column of the step's output.

    Attributes:
        place: the input that it comes from.
        categories: an Arrow array, each at its code; None where the input passes as it is.
        codes: the same, for a few values.
        other: the code of null and of any other value.
    """

    place: int
    categories: Any = None
    codes: dict[Any, float] = attrs.field(factory=dict)
    other: float = 0.0

    def of(self, column: Any, rows: int) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.categories is not None:
            if rows < _FEW_ROWS:
                return [self.codes.get(value, self.other) for value in column.to_pylist()]
            found = pc.index_in(column, value_set=self.categories)
            column = found.cast(pa.float64()).fill_null(self.other)
        return column.to_numpy(zero_copy_only=False)


def make_encoder(step: Any, signature: Signature) -> Callable[[list[Any], int], np.ndarray] | None:
    """What a step does, as a function of Arrow columns and the number of rows.

    Returns:
        None where the step is anything but a ``ColumnTransformer`` of ``OrdinalEncoder`` and
        ``passthrough``, with one code for null and unknown values.
    """
    import numpy as np
    from sklearn.compose import ColumnTransformer

    if type(step) is not ColumnTransformer:
        return None
    plan: list[_Output] = []
    for _, transformer, places in step.transformers_:
        outputs = _outputs(transformer, places, signature)
        if outputs is None:
            return None
        plan += outputs

    def encode(columns: list[Any], rows: int) -> np.ndarray:
        matrix = np.empty((rows, len(plan)))
        for target, output in enumerate(plan):
            matrix[:, target] = output.of(columns[output.place], rows)
        return matrix

    return encode


def _outputs(transformer: Any, places: Any, signature: Signature) -> list[_Output] | None:
    import pyarrow as pa
    from sklearn.preprocessing import OrdinalEncoder

    if not isinstance(places, list):
        return None
    numeric = [is_number(signature.inputs[place].type) for place in places]
    if _passes(transformer):
        return [_Output(place=place) for place in places] if all(numeric) else None
    if type(transformer) is not OrdinalEncoder or not _one_code_for_others(transformer):
        return None
    outputs = []
    for place, number, found in zip(places, numeric, transformer.categories_, strict=True):
        categories = pa.array(found.tolist(), pa.float64() if number else pa.string())
        codes = {value: float(code) for code, value in enumerate(categories.to_pylist())}
        other = float(transformer.unknown_value)
        outputs.append(_Output(place=place, categories=categories, codes=codes, other=other))
    return outputs


def _passes(transformer: Any) -> bool:
    from sklearn.preprocessing import FunctionTransformer

    if type(transformer) is FunctionTransformer:  # what a fit makes of "passthrough"
        return transformer.func is None
    return bool(transformer == "passthrough")


def _one_code_for_others(encoder: Any) -> bool:
    """Whether null and unknown values get one code, and no category is null or grouped."""
    import numpy as np

    return (
        encoder.handle_unknown == "use_encoded_value"
        and encoder.dtype is np.float64
        and encoder.min_frequency is None
        and encoder.max_categories is None
        and not any(
            category is None or category != category  # noqa: PLR0124  (NaN, of whatever type)
            for categories in encoder.categories_
            for category in categories.tolist()
        )
    )
