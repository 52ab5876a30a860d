"""The columns that a model takes, and how those of requests become an Arrow table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from interlock_hookspecs import Signature, logical_type
from interlock_serving.v2.column import Column, datatype_of
from interlock_serving.v2.matrix import Matrix, Values, is_finite, names_of
from interlock_serving.v2.usual import Usual

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.frozen(eq=False)
class _Layout:
    """The table of requests that send the same columns: its schema, and its places by type."""

    schema: pa.Schema
    groups: tuple[tuple[pa.DataType, tuple[int, ...]], ...]


class Columns:
    """What a model takes: its features, and the id and time columns beside them.

    Raises:
        Unsupported: one of them has no datatype in the protocol.
    """

    def __init__(self, signature: Signature) -> None:
        self.features = tuple(Column(field) for field in signature.inputs)
        extras = [field for field in (signature.id, signature.time) if field is not None]
        self.by_name = {column.name: column for column in (*self.features, *map(Column, extras))}
        self.required = {column.name for column in self.features}
        self.fields = (signature.inputs, signature.id, signature.time)
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    @cached_property
    def usual(self) -> Usual:
        """How requests of the usual form are read."""
        return Usual(self.features, self.by_name)

    @property
    def schema(self) -> pa.Schema:
        """Of a table of the features alone."""
        return self._layout(self.usual.names).schema

    def looked_at(self, values: Values) -> Values:
        """The values of a request, of which those that came as bytes were not looked at.

        Raises:
            InvalidInput: one is infinite, or missing where that is not taken.
        """
        if not isinstance(values, Matrix) or isinstance(values.values, list):
            return values
        if is_finite(values.values):
            return values
        return {
            column.name: column.read(numbers, column.datatype)
            for column, numbers in zip(self.features, values.values.T, strict=True)
        }

    def table(self, requests: Sequence[Values]) -> pa.Table:
        """The rows of requests of the same columns, one after the other."""
        import pyarrow as pa

        layout = self._layout(names_of(requests[0]))
        sent = [each.columns() if isinstance(each, Matrix) else each for each in requests]
        columns = [*zip(*[request.values() for request in sent], strict=True)]
        if set(map(type, chain.from_iterable(columns))) != {list}:
            arrays = [
                _joined(parts, kind)
                for parts, kind in zip(columns, layout.schema.types, strict=True)
            ]
            return pa.Table.from_arrays(arrays, schema=layout.schema)
        arrays = [None] * len(columns)
        for kind, places in layout.groups:
            # One array for all columns of a type, then cut: a fixed cost once, not once a column.
            values = [*chain.from_iterable(chain.from_iterable(columns[at] for at in places))]
            together = pa.array(values, type=kind)
            rows = len(values) // len(places)
            for part, at in enumerate(places):
                arrays[at] = together.slice(part * rows, rows)
        batch = pa.RecordBatch.from_arrays(arrays, schema=layout.schema)
        return pa.Table.from_batches([batch], layout.schema)

    def _layout(self, names: tuple[str, ...]) -> _Layout:
        layout = self._layouts.get(names)
        if layout is None:
            import pyarrow as pa

            kinds = [self.by_name[name].arrow for name in names]
            groups: dict[pa.DataType, list[int]] = {}
            for at, kind in enumerate(kinds):
                groups.setdefault(kind, []).append(at)
            schema = pa.schema([*zip(names, kinds, strict=True)])
            layout = _Layout(schema, tuple((kind, tuple(at)) for kind, at in groups.items()))
            # At most four: with and without the id column and the time column.
            self._layouts[names] = layout
        return layout


def _joined(parts: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column out of lists and arrays."""
    import pyarrow as pa

    if set(map(type, parts)) == {np.ndarray}:
        return pa.array(np.concatenate(parts), kind)
    # A copy of an array: Arrow wants its numbers aligned, and those are as they stood in a body.
    copied = [part.copy() if isinstance(part, np.ndarray) else part for part in parts]
    made = [part if isinstance(part, pa.Array) else pa.array(part, kind) for part in copied]
    return pa.concat_arrays(made)


def output_datatypes(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """Name and datatype of each column of predictions."""
    return tuple((field.name, datatype_of(logical_type(field.type))) for field in schema)
