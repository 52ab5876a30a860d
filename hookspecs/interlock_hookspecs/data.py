"""Data: the hooks that bring the rows that are learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import first

if TYPE_CHECKING:
    from interlock_hookspecs.datasets import Dataset
    from interlock_hookspecs.tasks import Task
    from interlock_hookspecs.workspace import Workspace


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
