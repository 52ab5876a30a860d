"""Labels: truths that arrive later, kept as a blob and joined to what was served by id."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import attrs

from interlock.codec import decode, encode
from interlock.errors import UsageError
from interlock.ids import new_id, short
from interlock.ledger import Entry
from interlock.lifecycle.classes import known_classes, refuse_unknown
from interlock.lifecycle.context import read_rows
from interlock_hookspecs import Dataset, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.session import Session

# A run that ended before its rows were read tells nothing of them.
_LOOKED_AT = 20


@attrs.frozen(kw_only=True)
class LabelsAdded:
    """What came in.

    Attributes:
        id: of this delivery.
        rows: how many labels.
        without: how many rows came without a label or an id, and are in no join.
        known: whether the same delivery had been added before, and nothing was done.
    """

    id: str
    rows: int
    without: int
    known: bool


def add_labels(session: Session, source: str, task: Task) -> LabelsAdded:
    """Keep a delivery of labels: any source that the stack's data plugins read.

    Its columns are the task's id and target; others are left out, and so are rows without a label:
    that none came says nothing of one that came before, or will. Of two labels for one id the
    later delivery counts, and within one delivery the later row.

    Raises:
        UsageError: the task names no id or target, the source lacks them, or its labels are of
            another type than the target of the project's rows, or no classes of its models.
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
        narrow = _as_targets(narrow, task.target, _target_type(session, task.target), source)
        known = known_classes(session, task)
        refuse_unknown(narrow[task.target], known, f"{source}: {task.target!r}")
        given = narrow.drop_null()
        count, without = given.num_rows, rows.num_rows - given.num_rows
        path = workspace.scratch() / "labels.parquet"
        pq.write_table(given, path)
        kept = workspace.keep(path)
    for row in session.ledger.reads.labels(project=session.project, limit=None):
        if row["body"]["digest"] == dataset.digest:
            return LabelsAdded(id=row["id"], rows=count, without=without, known=True)
    labels_id = new_id("labels")
    record = encode(attrs.evolve(dataset, artifact=kept, fields=(), source=source))
    payload = {"record": record, "rows": count}
    session.ledger.append_all(session.project, [Entry("labels.added", labels_id, payload)])
    return LabelsAdded(id=labels_id, rows=count, without=without, known=False)


def _target_type(session: Session, target: str) -> pa.DataType | None:
    """What the target is in the rows that were read last; None where none were."""
    import pyarrow as pa

    reads = session.ledger.reads
    for run in reads.runs(project=session.project, limit=_LOOKED_AT):
        outputs = reads.stage_outputs(run["id"], "data")
        for field in decode(Dataset, outputs["dataset"]).fields if outputs else ():
            if field.name == target:
                with contextlib.suppress(ValueError):
                    return pa.type_for_alias(field.type)
    return None


def _as_targets(rows: pa.Table, target: str, kind: pa.DataType | None, source: str) -> pa.Table:
    """Labels as the target is written: what arrives as another type is no truth of this task.

    Raises:
        UsageError: a label cannot be one; its value is not told.
    """
    import pyarrow as pa

    found = rows[target]
    if kind is None or found.type == kind:
        return rows
    try:
        fitting = found.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        msg = f"{source}: {target!r} is {found.type}, and {kind} in the rows of this project"
        raise UsageError(msg, hint=f"write it as {kind}, and add them again") from error
    return rows.set_column(rows.column_names.index(target), target, fitting)


def all_labels(session: Session, task: Task) -> pa.Table | None:
    """Every label of the project, the latest last; None where none came.

    A row without a label or an id is none. Ids that came as several types are text, by which they
    still join. A delivery whose labels are of another type than the others is left aside, which is
    said: it cannot be taken back.
    """
    import pyarrow as pa

    rows = session.ledger.reads.labels(project=session.project, limit=None)
    tables = [
        (
            row,
            read_rows(session, decode(Dataset, row["body"]))
            .select([task.id, task.target])
            .drop_null(),
        )
        for row in reversed(rows)
    ]
    if not tables:
        return None
    kind = _target_type(session, str(task.target))
    fitting = []
    for row, table in tables:
        try:
            fitting.append(_as_targets(table, str(task.target), kind, row["body"]["source"]))
        except UsageError as error:
            session.reporter.warn(f"{short(row['id'])} is left aside: {error}")
    if len({table[task.id].type for table in fitting}) > 1:
        fitting = [
            table.set_column(0, task.id, table[task.id].cast(pa.string())) for table in fitting
        ]
    if not fitting:
        return None
    try:
        return pa.concat_tables(fitting, promote_options="permissive")
    except pa.ArrowTypeError as error:
        msg = f"the labels of {session.project} came with types that do not fit: {error}"
        raise UsageError(
            msg, hint="interlock run reads the rows, whose type then counts"
        ) from error


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
    asked = rows[task.id].combine_chunks()
    try:
        asked = asked.cast(ids.type)
    except pa.ArrowInvalid:
        # Ids that were hashed where they were captured: they are no label's, and no error.
        asked, ids = asked.cast(pa.string()), ids.cast(pa.string())
    # index_in finds the first of equals; reversed, the first is the latest.
    latest = ids.take(pa.array(np.arange(len(ids))[::-1]))
    place = pc.index_in(asked, value_set=latest)
    found = pc.subtract(pa.scalar(len(ids) - 1, pa.int32()), place)
    target = labels[task.target].combine_chunks().take(found)
    return rows.append_column(task.target, target), len(target) - target.null_count
