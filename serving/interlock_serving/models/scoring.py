"""Requests scored together: their rows as one, its predictions decided and divided again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from interlock_hookspecs import (
    PREDICTION,
    OpenTarget,
    PluginError,
    Signature,
    decide,
    decide_numbers,
    score_columns,
)
from interlock_serving.v2.answers import Answer, Batch, Numbers, Outputs, Tables
from interlock_serving.v2.columns import Columns, output_datatypes
from interlock_serving.v2.matrix import as_table, is_finite, joined
from interlock_serving.v2.protocol import Query, output_names

if TYPE_CHECKING:
    import pyarrow as pa

_LONG = 0.002
"""Seconds that an event loop can be away without other requests feeling it."""
_WEIGHT = 0.25
_MOST = 4
"""Times the usual that one batch counts for: that its thread had to wait says nothing of it."""


class ModelFailed(PluginError):  # noqa: N818  (read as a sentence: raise ModelFailed)
    """The model could not answer, through no fault of the request."""


class Scorer:
    """A model, and how requests become its rows and its predictions their answers.

    Args:
        target: the opened model and its release.

    Raises:
        Unsupported: the protocol has no datatype for one of the model's columns.
    """

    def __init__(self, target: OpenTarget) -> None:
        self.predictor = target.predictor
        self.signature = target.predictor.signature
        self.columns = Columns(self.signature)
        self._threshold = target.target.release.threshold
        self.outputs = output_names(self.signature)
        self._predict_numbers = None
        if self.columns.usual.doubles and _is_usual(self.signature):
            self._predict_numbers = getattr(target.predictor, "predict_numbers", None)
        self._known: tuple[pa.Schema, Outputs] | None = None
        self._schemas: tuple[pa.Schema, pa.Schema] | None = None

    def score(self, queries: Sequence[Query]) -> list[Answer]:
        """The answers to requests of the same columns, in their order.

        Raises:
            InvalidInput: a request has numbers that do not fit.
            ModelFailed: the model gave something else than an answer to each row.
            Exception: whatever the model raises.
        """
        values = [query.values for query in queries]
        rows = joined(values)
        gaps = rows is not None and not is_finite(rows)
        if gaps:
            values = [*map(self.columns.looked_at, values)]
            rows = joined(values)
        if rows is None:
            batch = self._by_table(self.columns.table(values), len(values))
        elif self._predict_numbers is None:
            batch = self._by_table(as_table([rows], self.columns.schema, gaps), len(values))
        else:
            batch = self._by_numbers(rows, self._predict_numbers(rows), len(values), gaps)
        counts = [query.rows for query in queries]
        starts = itertools.accumulate(counts, initial=0)
        return [Answer(batch, start, count) for start, count in zip(starts, counts, strict=False)]

    def _by_table(self, rows: pa.Table, requests: int) -> Batch:
        given = self.predictor.predict(rows)
        if given.num_rows != rows.num_rows:
            raise ModelFailed(f"{given.num_rows} answers to {rows.num_rows} rows")
        # Before deciding: a NaN would quietly become the negative class.
        _check_finite(given)
        predictions = decide(given, self.signature, self._threshold).select(self.outputs)
        return Tables(rows, predictions, requests, self._outputs(predictions.schema))

    def _by_numbers(self, rows: np.ndarray, given: np.ndarray, requests: int, gaps: bool) -> Batch:
        wanted = (len(rows), len(self.signature.outputs))
        if given.shape != wanted:
            raise ModelFailed(f"answers of the shape {given.shape}, where {wanted} is promised")
        if not is_finite(given):
            place = int(np.isfinite(given).all(axis=0).argmin())
            raise _no_number(self.signature.outputs[place].name)
        labels = decide_numbers(given, self.signature, self._threshold)
        said = [labels, *(given[:, place] for place in range(given.shape[1]))][: len(self.outputs)]
        if self._schemas is None:
            import pyarrow as pa

            kinds = [pa.array(column).type for column in said]
            answered = pa.schema([*zip(self.outputs, kinds, strict=True)])
            self._schemas = (self.columns.schema, answered)
        outputs = self._outputs(self._schemas[1])
        return Numbers(rows, said, requests, outputs, self._schemas, gaps)

    def _outputs(self, schema: pa.Schema) -> Outputs:
        known = self._known
        if known is None or not (known[0] is schema or known[0].equals(schema)):
            self._known = known = (schema, output_datatypes(schema))
        return known[1]


class Pace:
    """How long batches take by their size, in seconds."""

    def __init__(self) -> None:
        # By the power of two: a model's fixed cost and its cost by the row are both in there.
        self._seconds: dict[int, float] = {}

    def tell(self, rows: int, seconds: float) -> None:
        """What a batch took."""
        size = rows.bit_length()
        before = self._seconds.get(size, seconds)
        self._seconds[size] = before + _WEIGHT * (min(seconds, _MOST * before) - before)

    def is_short(self, rows: int) -> bool:
        """Whether batches of this size are known to be over soon."""
        return self._seconds.get(rows.bit_length(), _LONG) < _LONG


def _is_usual(signature: Signature) -> bool:
    """Whether a model gives what its kind does, and leaves it to us to decide."""
    names = [field.name for field in signature.outputs]
    return names == ([*score_columns(signature)] if signature.classes else [PREDICTION])


def _check_finite(predictions: pa.Table) -> None:
    import pyarrow as pa

    for name, column in zip(predictions.column_names, predictions.columns, strict=True):
        if column.null_count:
            raise ModelFailed(f"no value in {name!r}")
        if pa.types.is_floating(column.type) and not is_finite(column.to_numpy()):
            raise _no_number(name)


def _no_number(name: str) -> ModelFailed:
    return ModelFailed(f"a value in {name!r} that is no finite number")
