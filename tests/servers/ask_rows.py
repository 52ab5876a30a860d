"""What the public clients ask: two rows and a hundred, with gaps, and the datatypes of both."""

from __future__ import annotations

from typing import Any

MODEL = "employment"
FEW: dict[str, list[Any]] = {
    "age": [40, 20],
    "income": [30_000.0, float("nan")],
    "city": ["Lowell", ""],
}
MANY: dict[str, list[Any]] = {
    "age": list(range(100)),
    "income": [100.0 * row for row in range(100)],
    "city": ["x" * (row % 7) for row in range(100)],
}
DATATYPES = {"age": "INT64", "income": "FP64", "city": "BYTES"}
DTYPES = {"age": "int64", "income": "float64", "city": "object"}
