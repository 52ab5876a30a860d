"""Frozen cells and the counts in them: what a profile holds of a column, and how rows are counted.

Cells are made once, from the reference rows, and never moved: counts over the same cells add up,
so that profiles of disjoint rows merge into the profile of them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

NUMBER, TEXT, INSTANT, NOTHING, OTHER = "number", "text", "instant", "nothing", "other"
"""The families of types: columns of one family are comparable, whatever their width."""


@attrs.frozen(kw_only=True, eq=False)
class Column:
    """What a profile knows of one column.

    Attributes:
        name: the column's.
        family: of its type. Only numbers, instants and texts have cells.
        edges: of a number or an instant (microseconds since 1970, UTC): cell ``i`` holds the
            values over ``edges[i-1]`` up to and including ``edges[i]``; the first is for values
            below all that were seen, the last for those above.
        groups: for each of these cells the coarse cell that a PSI is taken over.
        values: of a text: its categories, sorted; a cell each, and one more for all others.
        counts: rows in each cell, ``len(edges) + 1`` or ``len(values) + 1`` of them.
        nulls: rows without a value. A NaN is none.
    """

    name: str
    family: str
    edges: tuple[float, ...] = ()
    groups: tuple[int, ...] = ()
    values: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    nulls: int = 0

    @property
    def rows(self) -> int:
        """How many rows have a value."""
        return sum(self.counts)

    @property
    def cells(self) -> tuple[Any, ...]:
        """What makes counts comparable: everything but the counts."""
        return self.name, self.family, self.edges, self.groups, self.values


def family(kind: pa.DataType) -> str:
    """The family of an Arrow type.

    >>> import pyarrow as pa
    >>> family(pa.int8()), family(pa.dictionary(pa.int8(), pa.string())), family(pa.date32())
    ('number', 'text', 'instant')
    """
    import pyarrow.types as t

    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return family(kind.value_type)
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind) or t.is_boolean(kind):
        return NUMBER
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return TEXT
    if t.is_timestamp(kind) or t.is_date(kind):
        return INSTANT
    return NOTHING if t.is_null(kind) else OTHER


def learn(name: str, data: pa.ChunkedArray, *, bins: int, grid: int, categories: int) -> Column:
    """Make the cells of a column from its rows, and count the rows in them.

    Args:
        name: the column's.
        data: its rows.
        bins: coarse cells of a number, of equal share; with no more distinct values than this,
            each value is a cell of its own.
        grid: fine cells of a number.
        categories: of a text, the most frequent so many are kept apart.
    """
    kind = family(data.type)
    if kind == TEXT:
        found, nulls = _tally(data)
        # Of equally frequent ones the alphabet decides, so that equal rows make equal profiles.
        kept = sorted(sorted(found, key=lambda value: (-found[value], value))[:categories])
        return _text(name, tuple(kept), found, nulls)
    if kind not in (NUMBER, INSTANT):
        rows = len(data) - data.null_count
        return Column(name=name, family=kind, counts=(rows,), nulls=data.null_count)
    ordered, nulls = _ordered(data)
    edges, groups = _edges(ordered, bins, grid)
    counts = _counted(ordered, edges)
    return Column(name=name, family=kind, edges=edges, groups=groups, counts=counts, nulls=nulls)


def recount(column: Column, data: pa.ChunkedArray) -> Column:
    """The same cells with the counts of other rows.

    Raises:
        TypeError: the rows are of another family; rows of nothing but nulls never are, and a
            reference without cells knows no other.
    """
    kind = family(data.type)
    if kind == NOTHING:
        return attrs.evolve(column, counts=(0,) * len(column.counts), nulls=len(data))
    if column.family in (NOTHING, OTHER):
        rows = len(data) - data.null_count
        return attrs.evolve(column, counts=(rows,), nulls=data.null_count)
    if kind != column.family:
        msg = f"column {column.name!r} was {column.family} and is {kind} ({data.type})"
        raise TypeError(msg)
    if kind == TEXT:
        return _text(column.name, column.values, *_tally(data))
    ordered, nulls = _ordered(data)
    return attrs.evolve(column, counts=_counted(ordered, column.edges), nulls=nulls)


def merge(column: Column, other: Column) -> Column:
    """The counts of both.

    Raises:
        ValueError: they are over other cells.
    """
    if column.cells != other.cells:
        msg = f"column {column.name!r} was counted over other edges or categories"
        raise ValueError(msg)
    counts = tuple(a + b for a, b in zip(column.counts, other.counts, strict=True))
    return attrs.evolve(column, counts=counts, nulls=column.nulls + other.nulls)


def grouped(column: Column) -> NDArray[np.int64]:
    """The counts over coarse cells, which a PSI is taken over."""
    import numpy as np

    counts = np.array(column.counts, dtype=np.int64)
    if not column.groups:
        return counts
    return np.bincount(column.groups, weights=counts).astype(np.int64)


def outside(column: Column) -> int:
    """How many rows lie outside the range of the reference, or in no category of its own."""
    if column.family == TEXT:
        return column.counts[-1]
    if not column.edges:
        return 0
    # Where each value is a cell of its own, all others share the last, those below included.
    if column.groups[0] == column.groups[-1]:
        return int(grouped(column)[-1])
    return column.counts[0] + column.counts[-1]


def _text(name: str, values: tuple[str, ...], found: dict[str, int], nulls: int) -> Column:
    counts = [found.get(value, 0) for value in values]
    rest = sum(found.values()) - sum(counts)
    return Column(name=name, family=TEXT, values=values, counts=(*counts, rest), nulls=nulls)


def _tally(data: pa.ChunkedArray) -> tuple[dict[str, int], int]:
    """Rows by category, and rows without one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    found: dict[str, int] = {}
    nulls = 0
    for chunk in data.chunks:
        plain = pc.run_end_decode(chunk) if t.is_run_end_encoded(chunk.type) else chunk
        if t.is_string_view(plain.type):
            plain = plain.cast(pa.large_string())
        # A dictionary may differ from chunk to chunk, and hold nulls and repeated entries.
        encoded = plain if t.is_dictionary(plain.type) else plain.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        tally = pc.value_counts(encoded.indices.cast(pa.int64()))
        for place, rows in zip(
            tally.field("values").to_pylist(), tally.field("counts").to_pylist(), strict=True
        ):
            value = None if place is None else names[place]
            if value is None:
                nulls += rows
            else:
                found[value] = found.get(value, 0) + rows
    return found, nulls


def _ordered(data: pa.ChunkedArray) -> tuple[NDArray[np.float64], int]:
    """The values of a number or an instant in ascending order, and how many rows have none."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = data.type
    if t.is_dictionary(kind):
        data = data.cast(kind.value_type)
    elif t.is_run_end_encoded(kind):
        data = pa.chunked_array([pc.run_end_decode(chunk) for chunk in data.chunks])
    if family(kind) == INSTANT:
        zone = getattr(data.type, "tz", None)
        data = data.cast(pa.timestamp("us", zone), safe=False).cast(pa.int64())
    if t.is_boolean(data.type):
        data = data.cast(pa.int8())
    # Whole numbers over 2**53 lose their last digits here; cells are far wider than that.
    values = data.drop_null().cast(pa.float64(), safe=False).to_numpy()
    values = np.sort(values)
    # Sorting puts NaN last.
    kept = values[: len(values) - int(np.isnan(values).sum())]
    return kept, len(data) - len(kept)


def _edges(
    ordered: NDArray[np.float64], bins: int, grid: int
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Fine edges, and the coarse cell of each fine one."""
    import numpy as np

    # Infinities have no place in JSON, nor on a grid; they are counted as below or above it.
    finite = ordered[np.isfinite(ordered)]
    if not len(finite):
        return (), ()
    starts = np.append(True, finite[1:] != finite[:-1])
    distinct = int(starts.sum())
    if distinct <= bins:
        values = finite[starts]
        below = np.nextafter(values, -np.inf)
        edges = np.unique(np.concatenate([below, values]))
        # A value's cell is its own; what falls between or beyond the values shares the last.
        places = np.searchsorted(values, edges)
        own = np.isin(edges, values)
        groups = np.append(np.where(own, places, distinct), distinct)
        return tuple(edges.tolist()), tuple(groups.tolist())
    cuts = _order_statistics(finite, bins)
    # A value that holds the share of a whole cell gets one of its own, closed from below too.
    frequent = cuts[np.append(cuts[1:] == cuts[:-1], cuts[-1] == finite[-1])]
    cuts = np.unique(np.append(cuts, np.nextafter(frequent, -np.inf)))
    # Below the first value and over the last there is no row: no cell would hold any.
    cuts = cuts[(cuts >= finite[0]) & (cuts < finite[-1])]
    fine = finite[starts] if distinct <= grid else _order_statistics(finite, grid)
    ends = [np.nextafter(finite[0], -np.inf), finite[-1]]
    edges = np.unique(np.concatenate([ends, cuts, fine]))
    groups = np.append(np.searchsorted(cuts, edges), len(cuts))
    return tuple(edges.tolist()), tuple(groups.tolist())


def _order_statistics(ordered: NDArray[np.float64], parts: int) -> NDArray[np.float64]:
    """The values that cut rows in order into parts of equal size, as near as rows allow.

    They are values of rows (the inverted distribution function, type 1 of R. J. Hyndman and
    Y. Fan, The American Statistician 50, 1996), so that ties fall on one side of an edge.
    """
    import numpy as np

    n = len(ordered)
    places = -(-np.arange(1, parts) * n // parts) - 1
    return ordered[np.clip(places, 0, n - 1)]


def _counted(ordered: NDArray[np.float64], edges: tuple[float, ...]) -> tuple[int, ...]:
    import numpy as np

    ends = np.searchsorted(ordered, np.array(edges, dtype=float), side="right")
    return tuple(np.diff(ends, prepend=0, append=len(ordered)).tolist())
