"""Loads a skops model that Interlock registered, where Interlock is not installed.

`mlflow.pyfunc.load_model` finds this module in the model's folder. ``predict`` takes a pandas
frame with at least the model's columns, in any order, and gives a frame of the model's outputs:
``score``, the probability of the positive class, for a binary model; ``score[CLASS]`` for each
class of a multiclass one; ``prediction`` for a regression. Which class an answer is follows from
the release's threshold (``score >= threshold``), which is no part of the model.

It imports numpy, pandas and skops, and nothing of Interlock's: a change of what it does is a new
module, because one process may load models that were registered by several releases.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io

_NUMBERS = ("bool", "decimal", "double", "float", "halffloat", "int", "uint")


class InterlockModel:
    """A fitted estimator behind its signature."""

    def __init__(self, fitted: Any, signature: dict[str, Any]) -> None:
        self.fitted = fitted
        self.signature = signature

    def predict(self, data: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002  (MLflow's signature)
        """Score rows.

        Raises:
            ValueError: a column is missing, or a text is wanted and something else is there.
        """
        names = [field["name"] for field in self.signature["outputs"]]
        if not len(data):
            return pd.DataFrame({name: np.empty(0) for name in names}, index=data.index)
        columns = [_column(data, field) for field in self.signature["inputs"]]
        kind = np.float64 if all(column.dtype == np.float64 for column in columns) else object
        matrix = np.empty((len(data), len(columns)), kind)
        for place, column in enumerate(columns):
            matrix[:, place] = column
        return pd.DataFrame(dict(zip(names, self._outputs(matrix), strict=True)), index=data.index)

    def _outputs(self, matrix: np.ndarray) -> list[np.ndarray]:
        if self.signature["kind"] == "regression":
            return [np.asarray(self.fitted.predict(matrix), np.float64).ravel()]
        scores = np.asarray(self.fitted.predict_proba(matrix), np.float64)
        classes = self.fitted.classes_.tolist()
        binary = self.signature["kind"] == "binary"
        wanted = [self.signature["positive"]] if binary else self.signature["classes"]
        return [scores[:, classes.index(label)] for label in wanted]


def _column(data: pd.DataFrame, field: dict[str, Any]) -> np.ndarray:
    """Numbers as float64 with NaN for null, texts as str with None for null."""
    name = field["name"]
    if name not in data.columns:
        raise ValueError(f"the rows have no column {name!r}, which the model takes")
    column = data[name]
    if field["type"].startswith(_NUMBERS):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    values = [
        None if missing else value for value, missing in zip(column, column.isna(), strict=True)
    ]
    if not all(value is None or isinstance(value, str) for value in values):
        raise ValueError(f"column {name!r} is {column.dtype}, the model takes texts")
    return np.array(values, object)


def _load_pyfunc(path: str) -> InterlockModel:
    """What MLflow calls with the folder that this model's `data` names.

    Raises:
        ValueError: the model's file is another than was registered.
    """
    folder = Path(path)
    about = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    content = (folder / about["artifact"]).read_bytes()
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != about["digest"]:
        raise ValueError(f"{about['artifact']} is not the file that was registered")
    return InterlockModel(skops.io.loads(content, trusted=about["types"]), about["signature"])
