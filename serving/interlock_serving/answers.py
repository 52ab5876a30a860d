"""What a model said: to requests that were scored together, and to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from interlock_serving.matrix import as_table

if TYPE_CHECKING:
    import pyarrow as pa

Outputs = tuple[tuple[str, str], ...]
"""Name and datatype of each output."""
Spans = Sequence[tuple[int, int]]
"""Of some requests of a batch: their first row, and how many."""


@attrs.frozen(eq=False)
class Tables:
    """What a model was given at once as a table, and what it said.

    Attributes:
        rows, predictions: tables of the same number of rows.
        requests: how many they are of.
        outputs: of ``predictions``, column by column.
    """

    rows: pa.Table
    predictions: pa.Table
    requests: int
    outputs: Outputs

    @cached_property
    def values(self) -> list[list[Any]]:
        """The predictions as JSON has them, a list for each output."""
        return [column.to_pylist() for column in self.predictions.columns]

    def array(self, place: int, start: int, rows: int) -> np.ndarray:
        """Some rows of an output of numbers or Booleans."""
        array: np.ndarray = self.predictions.column(place).slice(start, rows).to_numpy()
        return array

    def only(self, spans: Spans) -> Tables:
        """The same of some of the requests."""
        import pyarrow as pa

        rows, predictions = (
            pa.concat_tables([table.slice(start, rows) for start, rows in spans])
            for table in (self.rows, self.predictions)
        )
        return Tables(rows, predictions, len(spans), self.outputs)


@attrs.define(eq=False)
class Numbers:
    """What a model was given at once as an array, and what it said.

    Attributes:
        rows: [rows, features], NaN where a value is missing.
        predictions: an array for each output.
        requests: how many they are of.
        outputs: of ``predictions``.
        schemas: what both are as tables.
    """

    rows: np.ndarray
    predictions: Sequence[np.ndarray]
    requests: int
    outputs: Outputs
    schemas: tuple[pa.Schema, pa.Schema]

    @cached_property
    def values(self) -> list[list[Any]]:
        """The predictions as JSON has them, a list for each output."""
        return [column.tolist() for column in self.predictions]

    def array(self, place: int, start: int, rows: int) -> np.ndarray:
        """Some rows of an output of numbers or Booleans."""
        return self.predictions[place][start : start + rows]

    def only(self, spans: Spans) -> Numbers:
        """The same of some of the requests."""
        places = np.concatenate([np.arange(start, start + rows) for start, rows in spans])
        predictions = [column[places] for column in self.predictions]
        return attrs.evolve(
            self, rows=self.rows[places], predictions=predictions, requests=len(spans)
        )


Batch = Tables | Numbers
"""What a model was given at once, and what it said."""


def joined(batches: Sequence[Numbers]) -> tuple[pa.Table, pa.Table]:
    """What a model was given in some batches, one after the other, and what it said, as tables."""
    import pyarrow as pa

    given, answered = batches[0].schemas
    rows = np.concatenate([batch.rows for batch in batches])
    outputs = zip(*[batch.predictions for batch in batches], answered.types, strict=True)
    said = [pa.array(np.concatenate(parts), kind) for *parts, kind in outputs]
    return as_table(rows, given), pa.Table.from_arrays(said, schema=answered)


@attrs.define(eq=False)
class Answer:
    """The predictions of one request: ``rows`` of a batch, from ``start`` on."""

    batch: Batch
    start: int
    rows: int

    def values(self, place: int) -> list[Any]:
        """An output as JSON has it, by its place among the outputs."""
        return self.batch.values[place][self.start : self.start + self.rows]

    def array(self, place: int) -> np.ndarray:
        """An output of numbers or Booleans, by its place among the outputs."""
        return self.batch.array(place, self.start, self.rows)

    @property
    def outputs(self) -> list[tuple[str, str, list[Any]]]:
        """Name, datatype and values of each output."""
        start, end = self.start, self.start + self.rows
        return [
            (name, datatype, values[start:end])
            for (name, datatype), values in zip(self.batch.outputs, self.batch.values, strict=True)
        ]
