"""The wire of MLflow's runtime: a tensor for each column, named, as MLServer makes a frame of them.

Its answer is a frame with a column for each output, or a matrix without names. JSON has no infinite
number, so that none is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Field, InvalidInput, PluginError, Signature, is_number

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_DATATYPES = {
    "bool": "BOOL",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "float": "FP32",
    "double": "FP64",
}


def request(rows: pa.Table, fields: tuple[Field, ...]) -> bytes:
    """The body of an inference request over the columns of a signature.

    Raises:
        InvalidInput: a column is missing.
    """
    import orjson

    inputs = [_tensor(rows, field) for field in fields]
    return orjson.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs})


def answers(said: dict[str, Any], signature: Signature, n: int) -> np.ndarray:
    """The outputs of a signature in an answer, [n, m], in its order; null is NaN.

    Raises:
        PluginError: it is no answer to n rows, or has other outputs.
    """
    import numpy as np

    names = [field.name for field in signature.outputs]
    try:
        given = {one["name"]: one["data"] for one in said["outputs"]}
        if set(names) <= set(given):
            values = np.array([given[name] for name in names], np.float64).T
            return values.reshape(n, len(names))
        ((name, data),) = given.items()
        values = np.array(data, np.float64).reshape(n, -1)
    except (KeyError, TypeError, ValueError) as error:
        raise PluginError(f"MLServer's answer is none to {n} rows") from error
    places = _places(signature, values.shape[1])
    if places is None:
        raise PluginError(
            f"MLServer answers {name!r} and not {', '.join(names)}: a classifier of MLflow's gives "
            'its probabilities where it was saved with pyfunc_predict_fn="predict_proba"'
        )
    return values[:, places]


def _places(signature: Signature, width: int) -> list[int] | None:
    """Which columns of a matrix without names are the outputs; None where that is not known."""
    if signature.kind == "regression":
        return [0] if width == 1 else None
    if width != len(signature.classes):
        return None  # labels, most likely
    classes = list(signature.classes)
    wanted = (signature.positive,) if signature.kind == "binary" else signature.classes
    return [classes.index(label) for label in wanted if label is not None]


def _tensor(rows: pa.Table, field: Field) -> dict[str, Any]:
    place = rows.schema.get_field_index(field.name)
    if place < 0:
        raise InvalidInput(f"the rows have no column {field.name!r}, which the model takes")
    column = rows.column(place)
    datatype = "BYTES"
    if is_number(field.type):
        # Only doubles and texts may be missing in a frame.
        datatype = "FP64" if column.null_count else _DATATYPES.get(field.type, "FP64")
    return {
        "name": field.name,
        "datatype": datatype,
        "shape": [rows.num_rows, 1],
        "data": column.to_pylist(),
    }
