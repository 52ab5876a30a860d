"""A table as an MLServer is sent it, and its answer as a table.

The numbers of all rows are one matrix of doubles, in base64 so that every bit arrives, NaN and
infinity with it; JSON has neither. The texts are a list of strings and nulls, row by row.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Field, PluginError, input_column, is_number

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def number_matrix(rows: pa.Table, fields: tuple[Field, ...]) -> np.ndarray:
    """The columns of numbers as doubles, [n, k] in C order; null is NaN.

    Raises:
        InvalidInput: a column is missing, or of another type.
    """
    import numpy as np

    named = [field for field in fields if is_number(field.type)]
    matrix = np.empty((rows.num_rows, len(named)))
    for place, field in enumerate(named):
        matrix[:, place] = input_column(rows, field).to_numpy(zero_copy_only=False)
    return matrix


def text_list(rows: pa.Table, fields: tuple[Field, ...]) -> list[str | None]:
    """The columns of texts row by row, n * m values; empty where there is no such column.

    Raises:
        InvalidInput: a column is missing, or of another type.
    """
    named = [field for field in fields if not is_number(field.type)]
    columns = [input_column(rows, field).to_pylist() for field in named]
    return [value for row in zip(*columns, strict=True) for value in row]


def request(numbers: np.ndarray, texts: list[str | None], output: str) -> bytes:
    """The body of an inference request.

    Args:
        numbers: [n, k].
        texts: n * m, row by row.
        output: which output is asked for; empty for the only one.
    """
    import orjson

    raw = base64.b64encode(numbers.tobytes()).decode("ascii")
    about = {"content_type": "base64", "matrix": list(numbers.shape)}
    inputs = [
        {"name": "numbers", "datatype": "BYTES", "shape": [1], "data": [raw], "parameters": about}
    ]
    if texts:
        shape = [len(numbers), len(texts) // len(numbers)]
        inputs.append({"name": "texts", "datatype": "BYTES", "shape": shape, "data": texts})
    body: dict[str, Any] = {"inputs": inputs}
    if output:
        body["outputs"] = [{"name": output}]
    return orjson.dumps(body)


def answers(said: dict[str, Any], n: int) -> np.ndarray:
    """The numbers of an answer, [n, m]; null is NaN.

    Raises:
        PluginError: it is no answer to n rows.
    """
    import numpy as np

    try:
        (output,) = said["outputs"]
        values = np.array(output["data"], np.float64)
        return values.reshape(n, -1)
    except (KeyError, TypeError, ValueError) as error:
        raise PluginError(f"MLServer's answer is none to {n} rows") from error
