"""What a model said: to requests that were scored together, and to one of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import orjson

from interlock_serving.v2.matrix import as_table

if TYPE_CHECKING:
    import pyarrow as pa

Outputs = tuple[tuple[str, str], ...]
"""Name and datatype of each output."""
Spans = Sequence[tuple[int, int]]
"""Of some requests of a batch: their first row, and how many."""


class _Told(ABC):
    """How what a model said at once is written: once for all requests, of which each has a part."""

    outputs: Outputs
    requests: int

    @property
    @abstractmethod
    def values(self) -> list[list[Any]]:
        """The predictions as JSON has them, a list for each output."""

    @cached_property
    def singles(self) -> bool:
        """Whether each request has one row."""
        return len(self.values[0]) == self.requests if self.values else False

    @cached_property
    def texts(self) -> list[list[bytes]]:
        """The JSON of each value, a list for each output."""
        return [
            [orjson.dumps(value) for value in values]
            if datatype == "BYTES"
            else orjson.dumps(values)[1:-1].split(b",")
            for (_, datatype), values in zip(self.outputs, self.values, strict=True)
        ]

    @cached_property
    def contents(self) -> dict[int, tuple[bytes, int]]:
        """The values of an output as bytes, and how many one has, by its place.

        Of those outputs that somebody wanted so.
        """
        return {}


@attrs.frozen(eq=False, slots=False)
class Tables(_Told):
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

    def array(self, place: int) -> np.ndarray:
        """An output of numbers or Booleans."""
        array: np.ndarray = self.predictions.column(place).to_numpy()
        return array

    def only(self, spans: Spans) -> Tables:
        """The same of some of the requests."""
        import pyarrow as pa

        rows, predictions = (
            pa.concat_tables([table.slice(start, rows) for start, rows in spans])
            for table in (self.rows, self.predictions)
        )
        return Tables(rows, predictions, len(spans), self.outputs)


@attrs.frozen(eq=False, slots=False)
class Numbers(_Told):
    """What a model was given at once as an array, and what it said.

    Attributes:
        rows: [rows, features], NaN where a value is missing.
        predictions: an array for each output.
        requests: how many they are of.
        outputs: of ``predictions``.
        schemas: what both are as tables.
        gaps: whether a value is missing.
    """

    rows: np.ndarray
    predictions: Sequence[np.ndarray]
    requests: int
    outputs: Outputs
    schemas: tuple[pa.Schema, pa.Schema]
    gaps: bool

    @cached_property
    def values(self) -> list[list[Any]]:
        """The predictions as JSON has them, a list for each output."""
        return [column.tolist() for column in self.predictions]

    def array(self, place: int) -> np.ndarray:
        """An output of numbers or Booleans."""
        return self.predictions[place]

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
    outputs = zip(*[batch.predictions for batch in batches], answered.types, strict=True)
    said = [pa.array(np.concatenate(parts), kind) for *parts, kind in outputs]
    gaps = any(batch.gaps for batch in batches)
    rows = as_table([batch.rows for batch in batches], given, gaps)
    return rows, pa.Table.from_arrays(said, schema=answered)


@attrs.define(eq=False)
class Answer:
    """The predictions of one request: ``rows`` of a batch, from ``start`` on."""

    batch: Batch
    start: int
    rows: int

    def values(self, place: int) -> list[Any]:
        """An output as JSON has it, by its place among the outputs."""
        return self.batch.values[place][self.start : self.start + self.rows]

    def json(self, place: int) -> bytes:
        """The same, written."""
        if self.batch.singles:
            return b"[%b]" % self.batch.texts[place][self.start]
        return orjson.dumps(self.values(place))

    def content(self, place: int, dtype: str) -> bytes:
        """An output of numbers or Booleans as bytes.

        Args:
            place: its place among the outputs.
            dtype: numpy's name of how they are written; the same for each of a batch's.
        """
        known = self.batch.contents.get(place)
        if known is None:
            written = self.batch.array(place).astype(dtype, copy=False)
            known = self.batch.contents[place] = (written.tobytes(), written.itemsize)
        content, size = known
        return content[self.start * size : (self.start + self.rows) * size]

    @property
    def outputs(self) -> list[tuple[str, str, list[Any]]]:
        """Name, datatype and values of each output."""
        start, end = self.start, self.start + self.rows
        return [
            (name, datatype, values[start:end])
            for (name, datatype), values in zip(self.batch.outputs, self.batch.values, strict=True)
        ]
