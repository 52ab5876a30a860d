"""Rows that hold nothing but doubles: as they were sent, as one array, and as a table.

Most models take numbers only, and for these a table of a few rows costs more than the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


@attrs.define(eq=False)
class Matrix:
    """The features of some rows, of a model that takes doubles and nothing else.

    Attributes:
        names: the columns', in the model's order.
        values: finite numbers, a list, row by row, None where one is missing; or an array
            [rows, columns] of any, which are looked at where requests are joined.
    """

    names: tuple[str, ...]
    values: list[Any] | np.ndarray

    @property
    def array(self) -> np.ndarray:
        """[rows, columns]."""
        if isinstance(self.values, np.ndarray):
            return self.values
        return as_array(self.values).reshape(-1, len(self.names))

    def columns(self) -> dict[str, Any]:
        """The values of each column."""
        if isinstance(self.values, list):
            width, values = len(self.names), as_floats(self.values)
            return {name: values[place::width] for place, name in enumerate(self.names)}
        import pyarrow as pa

        by_column = np.array(self.values.T, order="C")  # a copy: Arrow wants its numbers aligned
        arrays = [pa.array(column, from_pandas=True) for column in by_column]
        return dict(zip(self.names, arrays, strict=True))


Values = dict[str, Any] | Matrix
"""The values of the columns of a request, in the model's order."""


def as_floats(values: list[Any]) -> list[Any]:
    """Numbers as Arrow takes them: of whole ones it refuses the long ones, for doubles."""
    return [None if value is None else float(value) for value in values]


def as_array(values: list[Any]) -> np.ndarray:
    """Numbers as doubles, None as NaN."""
    try:
        return np.fromiter(values, np.float64, len(values))
    except TypeError:  # a value is missing; to allow for that takes twice as long
        return np.array(values, np.float64)


def names_of(values: Values) -> tuple[str, ...]:
    """Which columns a request has."""
    return values.names if isinstance(values, Matrix) else tuple(values)


def joined(parts: Sequence[Values]) -> np.ndarray | None:
    """The rows of requests one after the other, [rows, columns]; None where some are no numbers."""
    if set(map(type, parts)) != {Matrix}:
        return None
    matrices: Sequence[Any] = parts
    sent = [part.values for part in matrices]
    if set(map(type, sent)) != {list}:
        return np.concatenate([part.array for part in matrices])
    width = len(matrices[0].names)
    try:
        return np.fromiter(chain.from_iterable(sent), np.float64).reshape(-1, width)
    except TypeError:  # a value is missing
        return np.array([*chain.from_iterable(sent)], np.float64).reshape(-1, width)


def is_finite(values: np.ndarray) -> bool:
    """Whether all are numbers: none is missing, none infinite."""
    # Its bytes are looked through in half the time that numpy takes to reduce them.
    return b"\0" not in np.isfinite(values).tobytes()


def as_table(parts: Sequence[np.ndarray], schema: pa.Schema, gaps: bool) -> pa.Table:
    """Numbers as a table, NaN as missing.

    Args:
        parts: [rows, columns] each, which follow one another.
        schema: of the columns, all of doubles.
        gaps: whether a value is missing: Arrow looks for them for longer than all else takes.
    """
    import pyarrow as pa

    count = sum(map(len, parts))
    # Column by column, in one array of which each is a piece: Arrow takes longer to make an array
    # than to cut it.
    values = np.empty((len(schema), count))
    start = 0
    for rows in parts:
        values[:, start : start + len(rows)] = rows.T
        start += len(rows)
    together = pa.array(values.reshape(-1), from_pandas=gaps)
    arrays = [together.slice(place * count, count) for place in range(len(schema))]
    return pa.Table.from_arrays(arrays, schema=schema)
