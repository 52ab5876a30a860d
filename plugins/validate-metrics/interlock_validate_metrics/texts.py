"""Text that is something else: numbers that a word or a comma made text, names of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from interlock_hookspecs import Check
from interlock_validate_metrics.columns import Categories, Column
from interlock_validate_metrics.estimates import counted, facts

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = r"^\s*[+-]?[0-9][0-9.,'\s]*(?:[eE][+-]?[0-9]+)?\s*$"
_CODES = 32
"""Numbers in a text column that may be codes of categories; more of them are measurements."""
_MANY = 50
"""Rows from which that each has a text of its own is no chance."""
_OWN = 0.9
"""The share of such rows from which a column names its rows."""
_HALF = 0.5


def text_checks(features: Mapping[str, Column | None], n: int) -> list[Check]:
    """The share of numbers in each text feature, and of values that are its row's alone.

    With each, the largest of them. A share is of the rows that have a value.
    """
    texts = {
        name: column
        for name, column in features.items()
        if isinstance(column, Categories) and _is_text(column.values.type)
    }
    return [
        *_worst("numbers_as_text", dict(_numbers(texts)), n),
        *_worst("unique_text", dict(_unique(texts)), n),
    ]


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind))


def _numbers(texts: Mapping[str, Categories]) -> Iterator[tuple[str, tuple[float, str]]]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, column in texts.items():
        counts = column.counts
        found = pc.match_substring_regex(column.values.cast(pa.string()), _NUMBER)
        numbers = np.asarray(found.to_numpy(zero_copy_only=False)) == np.True_
        share = float(counts[numbers].sum() / max(counts.sum(), 1))
        many = np.count_nonzero(counts[numbers]) > _CODES
        concern = (
            f"{name} is text, and {share:.1%} of its values are numbers, each taken for a "
            "category: clean what makes it text, or say its type in [task.types]"
        )
        yield name, (share, concern if many and share >= _HALF else "")


def _unique(texts: Mapping[str, Categories]) -> Iterator[tuple[str, tuple[float, str]]]:
    import numpy as np

    for name, column in texts.items():
        counts = column.counts
        rows = int(counts.sum())
        share = float(np.count_nonzero(counts == 1) / max(rows, 1))
        concern = (
            f"{name} has a text of its own in {share:.0%} of the rows: it names a row, and tells "
            "nothing of another; if so, [task] exclude"
        )
        yield name, (share, concern if rows >= _MANY and share >= _OWN else "")


def _worst(check: str, found: Mapping[str, tuple[float, str]], n: int) -> list[Check]:
    if not found:
        return [counted(check, 0, n)]
    name = max(found, key=lambda one: found[one][0])
    return [
        counted(check, found[name][0], n, facts=facts(column=name)),
        *(
            counted(check, share, n, subject=column, concern=concern)
            for column, (share, concern) in found.items()
        ),
    ]
