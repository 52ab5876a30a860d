"""What a predictor is asked, and what its answers must be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from interlock_hookspecs import (
    InvalidInput,
    PluginError,
    Predictor,
    Signature,
    logical_type,
    score_columns,
)
from interlock_hookspecs.conformance.rows import MARKER

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


def answered(predictor: Predictor, rows: pa.Table, what: str = "sound rows") -> pa.Table:
    """The answers to some rows, held to the signature: columns, types, number and range.

    Raises:
        AssertionError: they are not what the signature says; the message begins with ``what``.
    """
    import pyarrow as pa

    signature = predictor.signature
    table = predictor.predict(rows)
    assert isinstance(table, pa.Table), f"{what}: predict gives {type(table).__name__}, no table"
    found = [(field.name, logical_type(field.type)) for field in table.schema]
    outputs = [(field.name, field.type) for field in signature.outputs]
    assert found == outputs, f"{what}: the answers are {found}, and the signature says {outputs}"
    assert table.num_rows == rows.num_rows, (
        f"{what}: {rows.num_rows} rows have {table.num_rows} answers"
    )
    for field in signature.outputs:
        column = table[field.name]
        if not field.nullable:
            assert column.null_count == 0, f"{what}: an answer in {field.name!r} is null"
        values = [value for value in column.to_pylist() if isinstance(value, float)]
        sound = all(math.isfinite(value) for value in values)
        assert sound, f"{what}: an answer in {field.name!r} is no finite number"
    _probabilities(table, signature, what)
    return table


def _probabilities(table: pa.Table, signature: Signature, what: str) -> None:
    """Hold the scores of a classifier to being probabilities."""
    if not signature.classes:
        return
    rows = zip(*(table[name].to_pylist() for name in score_columns(signature)), strict=True)
    for scores in rows:
        inside = all(0 <= score <= 1 for score in scores)
        assert inside, f"{what}: a score is no probability: it is not from 0 to 1"
        whole = signature.kind == "binary" or math.isclose(sum(scores), 1, abs_tol=1e-6)
        assert whole, f"{what}: the scores of the classes sum to {sum(scores)}"


def answered_or_refused(predictor: Predictor, rows: pa.Table, what: str) -> pa.Table | None:
    """The answers to hard rows; None where they are refused in the contract's words.

    Raises:
        AssertionError: another error is raised, or the error repeats a value.
    """
    return unless_refused(lambda: answered(predictor, rows, what), what, InvalidInput)


def unless_refused(ask: Callable[[], T], what: str, *refusals: type[PluginError]) -> T | None:
    """What is answered; None where it is refused in the contract's words.

    Raises:
        AssertionError: another error is raised, or the error repeats a value.
    """
    try:
        return ask()
    except refusals as error:
        assert MARKER not in str(error), f"{what}: the error repeats a value of a data row"  # noqa: PT017  (of what may be raised)
        return None
    except AssertionError:
        raise
    except Exception as error:
        msg = f"{what}: {type(error).__name__} is raised where InvalidInput is promised"
        raise AssertionError(msg) from error


def same_answers(one: pa.Table, two: pa.Table, *, close: bool = False) -> bool:
    """Whether two tables of answers are equal, or equal up to the last bits."""
    if not close:
        return bool(one.equals(two))
    pairs = zip(one.to_pylist(), two.to_pylist(), strict=True)
    return all(
        math.isclose(first[name], second[name], rel_tol=1e-9, abs_tol=1e-12)
        for first, second in pairs
        for name in first
        if isinstance(first[name], float)
    )


def stretched(signature: Signature, n: int = 60, seed: int = 0) -> pa.Table:
    """Rows with the columns that a signature takes, of the types it takes, no nulls.

    Raises:
        AssertionError: a column's type is none that these rows are made of.
    """
    import numpy as np
    import pyarrow as pa

    draw = np.random.default_rng(seed)
    columns = {}
    for field in signature.inputs:
        if field.type in ("double", "float"):
            columns[field.name] = pa.array(draw.normal(0, 1, n)).cast(field.type)
        elif field.type.startswith(("int", "uint")):
            columns[field.name] = pa.array(draw.integers(0, 100, n)).cast(field.type)
        elif field.type == "bool":
            columns[field.name] = pa.array(draw.random(n) < 0.5)
        elif field.type == "string":
            columns[field.name] = pa.array(draw.choice(["Lowell", "Salem", "Lynn"], n).tolist())
        else:
            msg = f"the input {field.name!r} is {field.type}: name numbers, Booleans or strings"
            raise AssertionError(msg)
    return pa.table(columns)
