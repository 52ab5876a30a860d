"""Fits a decision tree to the rows that Interlock gives, and writes it as a skops file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor


def main() -> None:
    """Read the rows and the task, fit, and write the model and its scores."""
    rows = pq.read_table(os.environ["INTERLOCK_ROWS"])
    task = json.loads(Path(os.environ["INTERLOCK_TASK"]).read_text(encoding="utf-8"))
    output = Path(os.environ["INTERLOCK_OUTPUT"])

    # A column a feature, in the order of the task; texts stay texts, all else is a float.
    texts = [
        place for place, name in enumerate(task["features"]) if task["types"][name] == "string"
    ]
    matrix = np.empty((rows.num_rows, len(task["features"])), object if texts else np.float64)
    for place, name in enumerate(task["features"]):
        column = rows[name] if place in texts else _numbers(rows[name])
        matrix[:, place] = column.to_numpy()
    target = np.array(rows[task["target"]].to_pylist())

    kind = DecisionTreeRegressor if task["kind"] == "regression" else DecisionTreeClassifier
    model = kind(max_depth=5, min_samples_leaf=5, random_state=task["seed"])
    if texts:
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
        )
        coded = ColumnTransformer([("texts", codes, texts)], remainder="passthrough")
        model = make_pipeline(coded, model)
    folds = cross_val_score(model, matrix, target, cv=3)
    model.fit(matrix, target)

    skops.io.dump(model, output / "model.skops")
    name = "r2" if task["kind"] == "regression" else "accuracy"
    (output / "metrics.json").write_text(json.dumps({name: folds.tolist()}), encoding="utf-8")


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return column.cast(pa.float64(), safe=False)


if __name__ == "__main__":
    main()
