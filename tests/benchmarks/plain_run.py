"""What a person writes without Interlock: `interlock run --until register` as a plain script.

The peer of bench_run.py. It does what the run does with scikit-learn, to the same rows, and
nothing that the run does not do: the census rows are read, split by a hash of their id, encoded
from Arrow, fitted, dumped with skops, scored and measured. What it prints must equal what
Interlock measured, to the last digit; bench_run.py holds it to that.

Run it in the folder of the example: ``python plain_run.py MODEL``, MODEL being the file to write.
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import skops.io
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

PROJECT = "employment"
TARGET = "employed"
NO_FEATURES = ("id", TARGET, "year", "prediction", "predicted_probability")
HOLDOUT = 0.25
THRESHOLD = 0.5


def held_out(identifiers: np.ndarray) -> np.ndarray:
    """Which rows are held out, by a hash of their id: the same ones in every run."""
    key = int.from_bytes(hashlib.sha256(PROJECT.encode()).digest()[:8], "little")
    return mixed(np.uint64(key) ^ mixed(identifiers.view(np.uint64))) < int(HOLDOUT * 2**64)


def mixed(values: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def measured(model: str) -> tuple[dict[str, object], dict[str, float]]:
    """Read, split, encode, fit, dump, score; gives the parameters and what was measured."""
    rows = pq.read_table("data/2015.parquet")
    held = held_out(rows["id"].to_numpy())
    training, heldout = rows.filter(pa.array(~held)), rows.filter(pa.array(held))
    features = [name for name in rows.column_names if name not in NO_FEATURES]
    texts = [name for name in features if pa.types.is_dictionary(rows[name].type)]
    numbers = [name for name in features if name not in texts]
    categories = {
        name: pa.array(sorted(pc.unique(training[name].cast(pa.string())).to_pylist(), key=float))
        for name in texts
    }

    def matrix(some: pa.Table) -> np.ndarray:
        """Codes of the categories, then the numbers."""
        found = np.empty((some.num_rows, len(features)))
        for place, name in enumerate(texts):
            codes = pc.index_in(some[name].cast(pa.string()), value_set=categories[name])
            found[:, place] = codes.cast(pa.float64()).to_numpy()
        for place, name in enumerate(numbers, start=len(texts)):
            found[:, place] = some[name].to_numpy()
        return found

    # So that the model takes the columns as they are, its first step is the same encoding.
    encoder = OrdinalEncoder(
        categories=[np.array(categories[name].to_pylist(), object) for name in texts],
        handle_unknown="use_encoded_value",
        unknown_value=float("nan"),
    )
    places = [features.index(name) for name in texts]
    others = [features.index(name) for name in numbers]
    columns = ColumnTransformer(
        [("categories", encoder, places), ("numbers", "passthrough", others)]
    )
    first = training.slice(0, 1).select(features).to_pylist()[0]
    columns.fit(np.array([list(first.values())], object))

    seen, unseen = matrix(training), matrix(heldout)
    truth_seen, truth = training[TARGET].to_numpy(), heldout[TARGET].to_numpy()
    estimator = HistGradientBoostingClassifier(random_state=0)
    fitted = clone(estimator).fit(seen, truth_seen)
    skops.io.dump(Pipeline([("columns", columns), ("estimator", fitted)]), model)

    scores = fitted.predict_proba(unseen)[:, 1]
    called = scores >= THRESHOLD
    roc_auc = roc_auc_score(truth, scores)
    return estimator.get_params(), {
        "accuracy": accuracy_score(truth, called),
        "precision": precision_score(truth, called),
        "recall": recall_score(truth, called),
        "f1": f1_score(truth, called),
        "roc_auc": roc_auc,
        "log_loss": log_loss(truth, scores),
        "overfit_gap": roc_auc_score(truth_seen, fitted.predict_proba(seen)[:, 1]) - roc_auc,
    }


def main() -> None:
    """Do it all, and print what was measured."""
    _, found = measured(sys.argv[1])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
