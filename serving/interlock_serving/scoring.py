"""Requests scored together: their rows in one table, its predictions decided and divided again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from interlock_hookspecs import CaptureBatch, OpenTarget, PluginError, decide
from interlock_serving.answers import Answer, Batch
from interlock_serving.columns import Columns, output_datatypes
from interlock_serving.protocol import Query, output_names

if TYPE_CHECKING:
    from interlock_hookspecs import Release

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
        self._known: tuple[pa.Schema, tuple[tuple[str, str], ...]] | None = None

    def score(self, queries: Sequence[Query]) -> list[Answer]:
        """The answers to requests of the same columns, in their order.

        Raises:
            ModelFailed: the model gave something else than an answer to each row.
            Exception: whatever the model raises.
        """
        rows = self.columns.table([query.columns for query in queries])
        given = self.predictor.predict(rows)
        if given.num_rows != rows.num_rows:
            raise ModelFailed(f"{given.num_rows} answers to {rows.num_rows} rows")
        # Before deciding: a NaN would quietly become the negative class.
        _check_finite(given)
        predictions = decide(given, self.signature, self._threshold).select(self.outputs)
        batch = Batch(rows, predictions, len(queries), self._outputs(predictions.schema))
        counts = [query.rows for query in queries]
        starts = itertools.accumulate(counts, initial=0)
        return [Answer(batch, start, count) for start, count in zip(starts, counts, strict=False)]

    def _outputs(self, schema: pa.Schema) -> tuple[tuple[str, str], ...]:
        known = self._known
        if known is None or not known[0].equals(schema):
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


def captured(
    delivered: Sequence[tuple[Query, Answer]], release: Release, at: datetime, *, mirror: bool
) -> Iterator[CaptureBatch]:
    """What is recorded of answers that were given, a batch after the other."""
    for batch, group in itertools.groupby(delivered, key=lambda one: one[1].batch):
        members = list(group)
        rows, predictions = batch.rows, batch.predictions
        if len(members) < batch.requests:  # a client went away, or was answered that it is late
            rows, predictions = (
                pa.concat_tables([table.slice(one.start, query.rows) for query, one in members])
                for table in (rows, predictions)
            )
        yield CaptureBatch(
            request_ids=[query.id for query, _ in members],
            counts=[query.rows for query, _ in members],
            at=at,
            release=release.id,
            rows=rows,
            predictions=predictions,
            mirror=mirror,
        )


def _check_finite(predictions: pa.Table) -> None:
    for name, column in zip(predictions.column_names, predictions.columns, strict=True):
        if column.null_count:
            raise ModelFailed(f"no value in {name!r}")
        if pa.types.is_floating(column.type) and not np.isfinite(column.to_numpy()).all():
            raise ModelFailed(f"a value in {name!r} that is no finite number")
