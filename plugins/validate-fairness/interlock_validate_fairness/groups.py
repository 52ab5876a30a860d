"""The groups of sensitive columns, and of pairs of them, as codes."""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING, NamedTuple

from interlock_hookspecs import InvalidInput, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Ints = npt.NDArray[np.int64]

NULL = "null"
"""Rows without a value are a group of their own: not to answer is an answer too."""


class Grouping(NamedTuple):
    """Rows by the group they belong to.

    Attributes:
        name: the column, or two of them: ``SEX``, ``SEX&RAC1P``.
        groups: ``SEX=1``, ``SEX=1&RAC1P=2``; in the order of their values.
        codes: each row's group.
        reason: why it is not measured; empty where it is.
    """

    name: str
    groups: tuple[str, ...]
    codes: Ints
    reason: str = ""


def groupings(rows: pa.Table, task: Task, *, pairs: bool, most: int) -> list[Grouping]:
    """One grouping for each sensitive column, then one for each pair of them.

    Args:
        rows: with the sensitive columns.
        task: names them.
        pairs: whether pairs are grouped too.
        most: with more groups than this a grouping is not measured.

    Raises:
        InvalidInput: a column that ``[task] sensitive`` names is not there.
    """
    single = [_limited(_by_column(rows, name), most) for name in dict.fromkeys(task.sensitive)]
    if not pairs:
        return single
    usable = [grouping for grouping in single if not grouping.reason]
    crossed = (_crossed(a, b) for a, b in itertools.combinations(usable, 2))
    return [*single, *(_limited(grouping, most) for grouping in crossed)]


def _by_column(rows: pa.Table, name: str) -> Grouping:
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.types as t

    if name not in rows.column_names:
        near = difflib.get_close_matches(name, rows.column_names, n=1)
        meant = f"did you mean {near[0]!r}?" if near else "name a column of the dataset"
        msg = f"[task] sensitive names {name!r}, which is no column: {meant}"
        raise InvalidInput(msg)
    column = rows[name].combine_chunks()
    if t.is_dictionary(column.type):
        column = column.dictionary_decode()
    if t.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    if t.is_nested(column.type):
        msg = f"[task] sensitive names {name!r}, whose values ({column.type}) are no groups"
        raise InvalidInput(msg)
    encoded = pc.dictionary_encode(column, null_encoding="encode")
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda place: _rank(values[place]))
    place_of = np.empty(len(values), dtype=np.int64)
    place_of[order] = np.arange(len(values))
    groups = tuple(f"{name}={_text(values[place])}" for place in order)
    return Grouping(name, groups, place_of[encoded.indices.to_numpy()])


def _rank(value: object) -> tuple[int, float, str]:
    """Numbers by size, also where they are written as text; then words; null last."""
    if value is None:
        return (2, 0.0, "")
    text = _text(value)
    return (0, float(text), text) if text.isdecimal() else (1, 0.0, text)


def _text(value: object) -> str:
    if value is None:
        return NULL
    # A file without integers gives 1.0 for what another calls 1.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f"'{value}'" if value == NULL else str(value)


def _crossed(a: Grouping, b: Grouping) -> Grouping:
    import numpy as np

    both = a.codes * len(b.groups) + b.codes
    present, codes = np.unique(both, return_inverse=True)
    groups = tuple(
        f"{a.groups[code // len(b.groups)]}&{b.groups[code % len(b.groups)]}"
        for code in present.tolist()
    )
    return Grouping(f"{a.name}&{b.name}", groups, codes)


def _limited(grouping: Grouping, most: int) -> Grouping:
    count = len(grouping.groups)
    if count <= most:
        return grouping
    why = (
        f"{grouping.name} has {count} groups, more than max_groups = {most}: "
        "put its values into bands, or raise max_groups"
    )
    return grouping._replace(reason=why)
