"""Labels: truths that arrive later, kept as a blob and joined to what was served by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock.codec import decode, encode
from interlock.errors import UsageError
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.context import read_rows
from interlock_hookspecs import Dataset, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.session import Session


@attrs.frozen(kw_only=True)
class LabelsAdded:
    """What came in.

    Attributes:
        id: of this delivery.
        rows: how many labels.
        known: whether the same delivery had been added before, and nothing was done.
    """

    id: str
    rows: int
    known: bool


def add_labels(session: Session, source: str, task: Task) -> LabelsAdded:
    """Keep a delivery of labels: any source that the stack's data plugins read.

    Its columns are the task's id and target; others are left out. Of two labels for one id the
    later delivery counts, and within one delivery the later row.

    Raises:
        UsageError: the task names no id or target, or the source lacks them.
    """
    import pyarrow.parquet as pq

    if task.id is None or task.target is None:
        msg = "labels are joined by id: [task] names no id or no target"
        raise UsageError(msg, hint='set id = "..." and target = "..." under [task]')
    with session.workspace(new_id("labels")) as workspace:
        described = session.funnel.first("load_dataset", source=source, task=task)
        dataset = session.funnel.first("snapshot_dataset", dataset=described, ws=workspace)
        rows = read_rows(session, dataset)
        for name in (task.id, task.target):
            if name not in rows.column_names:
                msg = f"{source} has no column {name!r}: labels are {task.id!r} and {task.target!r}"
                raise UsageError(msg)
        narrow = rows.select([task.id, task.target])
        path = workspace.scratch() / "labels.parquet"
        pq.write_table(narrow, path)
        kept = workspace.keep(path)
    for row in session.ledger.reads.labels(project=session.project, limit=None):
        if row["body"]["digest"] == dataset.digest:
            return LabelsAdded(id=row["id"], rows=rows.num_rows, known=True)
    labels_id = new_id("labels")
    record = encode(attrs.evolve(dataset, artifact=kept, fields=(), source=source))
    payload = {"record": record, "rows": rows.num_rows}
    session.ledger.append_all(session.project, [Entry("labels.added", labels_id, payload)])
    return LabelsAdded(id=labels_id, rows=rows.num_rows, known=False)


def all_labels(session: Session, task: Task) -> pa.Table | None:
    """Every label of the project, one row an id, the latest; None where none came."""
    import pyarrow as pa

    rows = session.ledger.reads.labels(project=session.project, limit=None)
    tables = [read_rows(session, decode(Dataset, row["body"])) for row in reversed(rows)]
    if not tables:
        return None
    try:
        joined = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError as error:
        msg = f"the labels of {session.project} came with types that do not fit: {error}"
        raise UsageError(msg, hint="set [task.types] for the target, and add them again") from error
    return joined.select([task.id, task.target])


def with_labels(rows: pa.Table, labels: pa.Table | None, task: Task) -> tuple[pa.Table, int]:
    """Served rows with the target beside them, null where no label came, and how many have one.

    Args:
        rows: served rows, n of them, with the task's id where clients sent it.
        labels: from `all_labels`.
        task: names id and target.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if task.target is None:
        return rows, 0
    rows = rows.drop_columns([task.target]) if task.target in rows.column_names else rows
    if labels is None or task.id is None or task.id not in rows.column_names:
        return rows.append_column(task.target, pa.nulls(rows.num_rows)), 0
    ids = labels[task.id].combine_chunks()
    asked = rows[task.id].combine_chunks().cast(ids.type)
    # index_in finds the first of equals; reversed, the first is the latest.
    latest = ids.take(pa.array(np.arange(len(ids))[::-1]))
    place = pc.index_in(asked, value_set=latest)
    found = pc.subtract(pa.scalar(len(ids) - 1, pa.int32()), place)
    target = labels[task.target].combine_chunks().take(found)
    return rows.append_column(task.target, target), len(target) - target.null_count
