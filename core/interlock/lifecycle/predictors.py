"""A predictor that scores a table once, however many plugins ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import Predictor, Signature

if TYPE_CHECKING:
    import pyarrow as pa


class Remembering:
    """A predictor that remembers its answers to whole tables, by identity.

    The metrics, the fairness counts and the profile all ask for the held-out rows; scoring them
    once is most of validation's time. A table is immutable, so one answer holds.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        # The table is kept with its answer, so that no other gets its id.
        self._answers: dict[int, tuple[pa.Table, pa.Table]] = {}

    @property
    def signature(self) -> Signature:
        return self._predictor.signature

    def predict(self, rows: pa.Table) -> pa.Table:
        known = self._answers.get(id(rows))
        if known is None:
            known = self._answers[id(rows)] = (rows, self._predictor.predict(rows))
        return known[1]
