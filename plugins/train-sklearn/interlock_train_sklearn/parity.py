"""Whether a model that was written in another format still answers as the fitted estimator does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import PREDICTION, Predictor, Unsupported, decide, score_columns

if TYPE_CHECKING:
    import numpy as np

    from interlock_train_sklearn.rows import Features

OWN_FORMAT = "skops"
"""The format that keeps the estimator itself: what is opened is what was fitted."""

GAP = 1e-4
"""How far a score, or a prediction relative to the largest, may be from the estimator's. A model
of single-precision floats keeps some six digits; a wrong one differs by a whole leaf."""


def check_parity(fitted: Any, features: Features, opened: Predictor) -> None:
    """Compare an opened model with the estimator on the rows that it was fitted to.

    Raises:
        Unsupported: a label differs, or a score by more than `GAP`; the message has the numbers.
    """
    import numpy as np
    import pyarrow as pa

    names = [field.name for field in features.fields]
    found = opened.predict(pa.table(dict(zip(names, features.columns, strict=True))))
    signature = opened.signature
    wanted = _answers(fitted, features.matrix(), signature)
    outputs = score_columns(signature) if signature.kind != "regression" else (PREDICTION,)
    given = np.column_stack([found[name].to_numpy() for name in outputs])
    scale = 1.0 if signature.kind != "regression" else max(1.0, float(np.abs(wanted).max()))
    gap = float(np.abs(given - wanted).max()) / scale
    differing = 0
    if signature.kind != "regression":
        own = pa.table(dict(zip(outputs, wanted.T, strict=True)))
        labels = [decide(table, signature, 0.5)[PREDICTION] for table in (found, own)]
        differing = sum(a != b for a, b in zip(*map(pa.ChunkedArray.to_pylist, labels)))  # noqa: B905  (equal by shape)
    if differing or gap > GAP:
        raise Unsupported(
            f"the written model is not the fitted one: {differing} of {len(wanted)} labels differ, "
            f"scores by up to {gap:.2g}; keep format = {OWN_FORMAT!r}, or take another estimator"
        )


def _answers(fitted: Any, matrix: np.ndarray, signature: Any) -> np.ndarray:
    """What the estimator gives, [n, outputs], in the order of the signature's outputs."""
    import numpy as np

    if signature.kind == "regression":
        return np.asarray(fitted.predict(matrix), np.float64).reshape(-1, 1)
    scores = np.asarray(fitted.predict_proba(matrix), np.float64)
    classes = fitted.classes_.tolist()
    wanted = (signature.positive,) if signature.kind == "binary" else signature.classes
    return scores[:, [classes.index(label) for label in wanted]]
