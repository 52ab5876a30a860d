"""What a model said: to requests that were scored together, and to one of them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen(eq=False)
class Batch:
    """What a model was given at once, and what it said.

    Attributes:
        rows, predictions: tables of the same number of rows.
        requests: how many they are of.
        outputs: name and datatype of each column of ``predictions``.
    """

    rows: pa.Table
    predictions: pa.Table
    requests: int
    outputs: tuple[tuple[str, str], ...]

    @cached_property
    def values(self) -> list[list[Any]]:
        """The predictions as JSON has them, a list for each output."""
        return [column.to_pylist() for column in self.predictions.columns]


@attrs.frozen(eq=False)
class Answer:
    """The predictions of one request: ``rows`` of a batch, from ``start`` on."""

    batch: Batch
    start: int
    rows: int

    @property
    def outputs(self) -> list[tuple[str, str, list[Any]]]:
        """Name, datatype and values of each output."""
        start, end = self.start, self.start + self.rows
        return [
            (name, datatype, values[start:end])
            for (name, datatype), values in zip(self.batch.outputs, self.batch.values, strict=True)
        ]
