"""The model as a BentoML service, as its documentation writes one: one worker, adaptive batching.

BentoML imports this file: ``bentoml serve serving_bentoml:Bench``, beside the fitted model.
"""

import bentoml
import joblib
import numpy as np

THRESHOLD = 0.5


@bentoml.service(
    name="bench",
    workers=1,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Bench:
    """A fitted classifier."""

    def __init__(self) -> None:
        self._model = joblib.load("model.joblib")

    @bentoml.api(batchable=True)
    def infer(self, rows: np.ndarray) -> np.ndarray:
        """The score of each row and whether it is positive, [n, 2]."""
        scores = self._model.predict_proba(rows)[:, 1]
        return np.column_stack([scores, scores >= THRESHOLD])
