"""Data: what is to be learnt, the rows it is learnt from, and the hooks that bring them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs.digests import logical_type
from interlock_hookspecs.errors import InvalidInput
from interlock_hookspecs.rules import first
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

    from interlock_hookspecs.artifacts import Workspace
    from interlock_hookspecs.datasets import Dataset


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


@first("data")
def load_dataset(source: str, task: Task) -> Dataset | None:
    """Describe the dataset behind a source, or answer None where the source is another's.

    Asked: plugins in stack order, until one answers something other than None.

    Nothing is read that a description does not need. ``task.types`` are the logical types that
    the source cannot say itself.

    Args:
        source: a path, a glob or an address, relative paths already made absolute.
        task: what the rows are for. Columns it names may be missing: labels and traffic are read
            with the same task, and core says which it needs.

    Returns:
        A `Dataset` with source, format, files and fields.

    Raises:
        NotFound: the source is this plugin's and nothing is there.
        InvalidInput: it is there and cannot be read as rows.

    Example:
        >>> class Inline:
        ...     @hookimpl
        ...     def load_dataset(self, source, task):
        ...         if not source.startswith("inline:"):
        ...             return None
        ...         fields = (Field(name="x", type="int64"),)
        ...         return Dataset(source=source, format="inline", fields=fields)
        >>> Inline().load_dataset("inline:1,2", Task(dataset="inline:1,2")).format
        'inline'
    """


@first("data")
def snapshot_dataset(dataset: Dataset, ws: Workspace) -> Dataset | None:
    """Fix a dataset's rows: write them as one Parquet artifact and take their digests.

    Asked: plugins in stack order, until one answers something other than None.

    The rows pass through in batches, so that a source larger than memory is no obstacle. Equal
    rows give an equal ``digest`` whatever the source's format, and an equal artifact.

    Args:
        dataset: what ``load_dataset`` of this plugin gave; None is answered for another's.
        ws: keeps the artifact.

    Returns:
        The dataset with rows, digest, artifact and each file's digest.

    Raises:
        InvalidInput: the source changed since it was described, or has no rows.

    Example:
        >>> import attrs
        >>> class Inline:
        ...     @hookimpl
        ...     def snapshot_dataset(self, dataset, ws):
        ...         import pyarrow as pa, pyarrow.parquet as pq
        ...         values = [int(text) for text in dataset.source[7:].split(",")]
        ...         table = pa.table({"x": values})
        ...         path = ws.scratch() / "rows.parquet"
        ...         pq.write_table(table, path)
        ...         kept = ws.keep(path)
        ...         return attrs.evolve(dataset, rows=len(values), digest=table_digest(table),
        ...                             artifact=kept)
        >>> Inline().snapshot_dataset.__name__
        'snapshot_dataset'
    """


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
