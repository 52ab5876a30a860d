"""Which rows are held out: the same rows in every run and on every machine."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from interlock.errors import UsageError
from interlock_hookspecs import Task, logical_type

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_SPAN = 2**64


def split_rows(rows: pa.Table, task: Task, project: str) -> tuple[pa.Table, pa.Table]:
    """The training rows and the held-out rows.

    ``hash``: a row is held out by a hash of its id, or of its content where the task names no
    id, salted with the project's name and with nothing random: champion and challenger are
    compared on rows that neither has seen. ``time``: the rows from a value of the time column
    on are held out, the cut as near to the wished share as the distinct values allow.

    Args:
        rows: n rows.
        task: with split, holdout, id and time.
        project: the salt.

    Raises:
        UsageError: a side would be empty.
    """
    import numpy as np
    import pyarrow as pa

    held = _late_rows(rows, task) if task.split == "time" else _hashed_rows(rows, task, project)
    if held.all() or not held.any():
        side = "training" if held.all() else "held-out"
        msg = f"split = {task.split!r} leaves no {side} rows of {rows.num_rows}"
        raise UsageError(msg, hint="bring more rows, or change [task] split or holdout")
    return rows.filter(pa.array(np.logical_not(held))), rows.filter(pa.array(held))


def uneven(held: pa.Table, rows: int, task: Task) -> str:
    """What to say of a cut in time that is far from the wished share; empty where it is near.

    One row with a time far ahead, or a last period of most rows, leaves no better cut.

    Args:
        held: the held-out rows.
        rows: how many there are in all.
        task: with split, holdout and time.
    """
    share = held.num_rows / rows
    if task.split != "time" or task.holdout / 2 <= share <= (1 + task.holdout) / 2:
        return ""
    import pyarrow.compute as pc

    return (
        f"split = 'time' holds out {held.num_rows:,} of {rows:,} rows, not {task.holdout:.0%}: "
        f"{task.time!r} is {pc.min(held[task.time]).as_py()} or later in them"
    )


def _hashed_rows(rows: pa.Table, task: Task, project: str) -> np.ndarray[Any, Any]:
    import numpy as np

    columns = [task.id] if task.id else sorted(rows.column_names)
    key = int.from_bytes(hashlib.sha256(project.encode()).digest()[:8], "little")
    state = np.full(rows.num_rows, key, dtype=np.uint64)
    for name in columns:
        state = _mixed(state ^ _column_hashes(rows[name]))
    return state < np.uint64(int(task.holdout * _SPAN))


def _column_hashes(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """A 64-bit hash a value, the same whatever the storage; all nulls alike."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column.type
    null = _text_hash("null")
    if t.is_boolean(kind) or t.is_integer(kind):
        values = pc.fill_null(column.cast(pa.int64()), 0).to_numpy().view(np.uint64)
        hashes = _mixed(values)
    elif t.is_floating(kind):
        # Adding zero turns -0.0 into 0.0; fill_null leaves NaN, which is made one NaN.
        numbers = pc.fill_null(column.cast(pa.float64()), 0).to_numpy() + 0.0
        numbers[np.isnan(numbers)] = np.nan
        hashes = _mixed(numbers.view(np.uint64))
    else:
        encoded = column.combine_chunks().dictionary_encode()
        prefix = logical_type(kind)
        words = [_text_hash(f"{prefix}:{value}") for value in encoded.dictionary.to_pylist()]
        table = np.array([*words, null], dtype=np.uint64)
        hashes = table[pc.fill_null(encoded.indices, len(words)).to_numpy(zero_copy_only=False)]
    return np.asarray(np.where(pc.is_null(column).to_numpy(), np.uint64(null), hashes))


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _mixed(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit in changes every bit out."""
    import numpy as np

    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(values ^ (values >> np.uint64(31)))


def _late_rows(rows: pa.Table, task: Task) -> np.ndarray[Any, Any]:
    import numpy as np
    import pyarrow.compute as pc

    column = rows[task.time]
    if column.null_count:
        msg = f"split = 'time': {column.null_count} rows have no {task.time!r}"
        raise UsageError(msg, hint="fill or drop them, or use split = 'hash'")
    counted = pc.value_counts(column.combine_chunks())
    order = pc.sort_indices(counted.field("values"))
    values = counted.field("values").take(order)
    counts = counted.field("counts").take(order).to_numpy()
    if len(values) < 2:  # noqa: PLR2004  (a cut has two sides)
        msg = f"split = 'time': {task.time!r} has one value only, so one side would be empty"
        raise UsageError(msg, hint="use split = 'hash'")
    late = 1 - np.cumsum(counts)[:-1] / rows.num_rows
    cut = int(np.argmin(np.abs(late - task.holdout))) + 1
    return np.asarray(pc.greater_equal(column, values[cut]).to_numpy())
