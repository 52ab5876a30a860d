"""Tasks: the columns of rows, and what is to be learnt from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs.digests import logical_type
from interlock_hookspecs.errors import InvalidInput
from interlock_hookspecs.values import (
    Facts,
    Scalar,
    as_facts,
    count,
    finite,
    is_a,
    named,
    one_of,
    texts,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@attrs.frozen(kw_only=True)
class Field:
    """A named column with its logical type.

    Attributes:
        name: the column's name.
        type: its Arrow type's name without storage details, as `logical_type` gives it.
        nullable: whether a null was allowed or seen.

    >>> Field(name="AGEP", type="int64", nullable=False).type
    'int64'
    """

    name: str = attrs.field(validator=named)
    type: str = attrs.field(validator=named)
    nullable: bool = attrs.field(default=True, validator=is_a(bool))


def fields_of(table: pa.Table) -> tuple[Field, ...]:
    """The fields of a table; one is nullable where the table holds a null in it.

    >>> import pyarrow as pa
    >>> fields_of(pa.table({"x": [1, None]}))
    (Field(name='x', type='int64', nullable=True),)
    """
    return tuple(
        Field(name=field.name, type=logical_type(field.type), nullable=column.null_count > 0)
        for field, column in zip(table.schema, table.columns, strict=True)
    )


def _types(value: Mapping[str, str]) -> Facts:
    return as_facts(value)


@attrs.frozen(kw_only=True)
class Task:
    """What is to be predicted, from what, and how rows are held out.

    Attributes:
        dataset: the source, as the data plugin understands it.
        target: the column to predict; None where there is nothing to compare with.
        kind: an open word; ``binary``, ``multiclass`` and ``regression`` work end to end.
        id: the column that names a row; it is not a feature.
        positive: the target's value that counts as positive, for ``binary``.
        threshold: the score from which a row is decided positive, 0 to 1.
        time: the column of event time; an integer is an ordered period, a timestamp is aware.
        exclude: columns that are not features.
        sensitive: columns whose groups are compared for fairness; they stay features unless
            they are excluded too.
        types: logical types of columns that the source cannot say (CSV), by name.
        split: ``hash`` holds rows out by a hash of the id; ``time`` cuts the time column.
        holdout: the share of rows held out, between 0 and 1, both ends excluded.
        seed: for everything random.
        min_group: the number of rows under which a group counts as unmeasured.

    >>> task = Task(dataset="data/2015.parquet", target="employed", kind="binary", id="id")
    >>> task.features(["id", "AGEP", "employed"])
    ('AGEP',)
    """

    dataset: str = attrs.field(validator=named)
    target: str | None = attrs.field(default=None, validator=is_a((str, type(None))))
    kind: str = attrs.field(default="binary", validator=named)
    id: str | None = attrs.field(default=None, validator=is_a((str, type(None))))
    positive: int | str | bool = attrs.field(default=1, validator=is_a((int, str)))
    threshold: float = attrs.field(default=0.5, validator=finite)
    time: str | None = attrs.field(default=None, validator=is_a((str, type(None))))
    exclude: tuple[str, ...] = attrs.field(default=(), converter=texts)
    sensitive: tuple[str, ...] = attrs.field(default=(), converter=texts)
    types: Facts = attrs.field(factory=Facts, converter=_types)
    split: str = attrs.field(default="hash", validator=one_of("hash", "time"))
    holdout: float = attrs.field(default=0.25, validator=finite)
    seed: int = attrs.field(default=0, validator=count)
    min_group: int = attrs.field(default=100, validator=count)

    def __attrs_post_init__(self) -> None:
        if not 0 < self.holdout < 1:
            msg = f"holdout is {self.holdout}: expected a share between 0 and 1, for example 0.25"
            raise ValueError(msg)
        if not 0 <= self.threshold <= 1:
            msg = f"threshold is {self.threshold}: expected a score from 0 to 1"
            raise ValueError(msg)
        if self.split == "time" and self.time is None:
            msg = "split = 'time' needs the name of the time column: time = '...'"
            raise ValueError(msg)

    def features(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of some columns that are features, in the order given."""
        aside = {self.id, self.target, self.time, *self.exclude}
        return tuple(column for column in columns if column not in aside)


def is_positive(target: pa.Array | pa.ChunkedArray, task: Task) -> np.ndarray:
    """Which rows of a binary task are of the positive class.

    Args:
        target: the task's target, [n], without a null.
        task: with the value that counts as positive.

    Returns:
        Booleans, [n].

    Raises:
        InvalidInput: ``[task] positive`` cannot be a value of the target.

    >>> import pyarrow as pa
    >>> task = Task(dataset="rows.csv", target="left", positive="yes")
    >>> is_positive(pa.array(["yes", "no"]), task)
    array([ True, False])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        positive = pa.scalar(task.positive).cast(target.type)
    except pa.ArrowException:
        msg = f"[task] positive = {task.positive!r} is no value of a {target.type} target"
        raise InvalidInput(msg) from None
    found: np.ndarray = pc.equal(target, positive).to_numpy(zero_copy_only=False)
    return found


def scalar(value: Any) -> Scalar:
    """A numpy or Arrow scalar as the plain Python scalar that records hold.

    >>> import pyarrow as pa
    >>> scalar(pa.scalar(3)), scalar("a")
    (3, 'a')
    """
    for convert in ("as_py", "item"):
        method = getattr(value, convert, None)
        if method is not None:
            value = method()
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)
