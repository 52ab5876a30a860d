"""Rows that are hard to learn from, to measure and to watch; and what cannot be learnt from."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Task
from interlock_hookspecs.conformance.rows import rows_of, task_of
from interlock_hookspecs.conformance.sources import NAMES

if TYPE_CHECKING:
    import pyarrow as pa

_CLASSES = ("score[a]", "a]b", "ß", "A\u0308", "Ä", " ", "a", "A", "two\nlines")
Learning = dict[str, tuple["pa.Table", Task]]
"""Rows and the task to learn from them, by what is hard about both."""


def replaced(rows: pa.Table, name: str, column: Any) -> pa.Table:
    """The rows with another column under a name."""
    return rows.set_column(rows.column_names.index(name), name, column)


def unlearnable(kind: str) -> Learning:
    """Rows from which nothing can be learnt."""
    import pyarrow as pa

    rows, task = rows_of(kind), task_of(kind)
    n = rows.num_rows
    found = {
        "no rows": (rows.slice(0, 0), task),
        "no column of the target": (rows.drop_columns(["y"]), task),
        "a task without a target": (rows, task_of(kind, target=None)),
        "nothing but nulls in the target": (
            replaced(rows, "y", pa.nulls(n, rows["y"].type)),
            task,
        ),
        "no column left as a feature": (rows.select(["id", "y"]), task),
    }
    if kind == "regression":
        words = pa.array([f"word {place}" for place in range(n)])
        found["texts for numbers"] = (replaced(rows, "y", words), task)
    else:
        one = pa.array([rows["y"][0].as_py()] * n)
        found["one class"] = (replaced(rows, "y", one), task)
    if kind == "binary":
        three = pa.array([place % 3 for place in range(n)])
        found["three classes of two"] = (replaced(rows, "y", three), task)
        found["no row of the positive class"] = (rows, task_of(kind, positive=2))
        found["a positive class of another type"] = (rows, task_of(kind, positive="1"))
    return found


def hard_columns(kind: str) -> dict[str, pa.Table]:
    """Rows with a feature that is seldom one."""
    import pyarrow as pa

    rows = rows_of(kind, 100)
    n = rows.num_rows
    columns: dict[str, Any] = {
        "lists": pa.array([[place] for place in range(n)]),
        "times": pa.array([datetime(2018, 1, 1, tzinfo=UTC)] * n, pa.timestamp("us", "UTC")),
        "naive times": pa.array([1] * n, pa.timestamp("us")),
        "days": pa.array([1] * n, pa.date32()),
        "bytes": pa.array([b"\xff"] * n),
        "nothing": pa.nulls(n),
        "nulls of a type": pa.nulls(n, pa.float64()),
        "null texts": pa.nulls(n, pa.string()),
        "a constant": pa.array([1.0] * n),
        "infinity": pa.array([math.inf, *[1.0] * (n - 1)]),
        "no number": pa.array([math.nan, *[1.0] * (n - 1)]),
        "huge numbers": pa.array([1e308, -1e308] * (n // 2)),
        "large integers": pa.array([2**63 - 1, -(2**63)] * (n // 2)),
        "truth values": pa.array([True, None] * (n // 2)),
        "decimals": pa.array([1, 2] * (n // 2)).cast(pa.decimal128(38, 2)),
        "long texts": pa.array(["x" * 10_000, "✓"] * (n // 2)),
    }
    return {what: rows.append_column("hard", column) for what, column in columns.items()}


def hard_targets(kind: str) -> Learning:
    """Rows whose target is seldom one."""
    import pyarrow as pa

    rows = rows_of(kind, 180)
    n = rows.num_rows
    if kind == "regression":
        targets: dict[str, tuple[Any, Any]] = {
            "whole numbers": (pa.array(range(n)), 1),
            "a constant": (pa.array([1.0] * n), 1),
            "huge numbers": (pa.array([1e300, -1e300] * (n // 2)), 1),
            "an infinite target": (pa.array([math.inf, *[1.0] * (n - 1)]), 1),
        }
    elif kind == "binary":
        targets = {
            "truth values": (pa.array([True, False] * (n // 2)), True),
            "texts": (pa.array(["Ja ✓", "Nein"] * (n // 2)), "Ja ✓"),
            "the smaller is positive": (pa.array([0, 1] * (n // 2)), 0),
            "negative numbers": (pa.array([-1, 1] * (n // 2)), 1),
            "a class of one row": (pa.array([1, *[0] * (n - 1)]), 1),
        }
    else:
        targets = {
            "hostile classes": (pa.array(list(_CLASSES) * (n // len(_CLASSES))), 1),
            "numbers as classes": (pa.array([10, 9, -1] * (n // 3)), 1),
            "many classes": (pa.array([place % 12 for place in range(n)]), 1),
        }
    found = {
        what: (replaced(rows, "y", column), task_of(kind, positive=positive, exclude=("phone",)))
        for what, (column, positive) in targets.items()
    }
    some = pa.array([None, *rows["y"].to_pylist()[1:]], rows["y"].type)
    found["a null in the target"] = (replaced(rows, "y", some), task_of(kind, exclude=("phone",)))
    return found


def hostile_rows(kind: str) -> tuple[pa.Table, set[str]]:
    """Rows whose features have hostile names, and these names."""
    import pyarrow as pa

    rows = rows_of(kind, 100)
    names = {*NAMES, "score", "prediction", "score[0]", "target"}
    features = dict.fromkeys(sorted(names), rows["x"])
    return pa.table({"id": rows["id"], **features, "y": rows["y"]}), names


def named_alike(rows: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """The rows with ``x`` once more under each of some hostile names, and these names."""
    names = tuple(name for name in NAMES if name not in rows.column_names)
    for name in names:
        rows = rows.append_column(name, rows["x"])
    return rows, names
