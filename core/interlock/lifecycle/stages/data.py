"""Data: the rows are described, fixed, and measured before anything is fitted to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock.codec import decode, encode
from interlock.errors import UsageError
from interlock.ledger import Entry
from interlock.lifecycle.champions import held_against
from interlock.lifecycle.context import Context, Result, measured, read_rows, warn_of_concerns
from interlock.lifecycle.releases import outputs_behind
from interlock.plugins.discover import nearest
from interlock_hookspecs import Dataset, Field, Release, Task

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.session import Session


def inputs(context: Context) -> Mapping[str, Any] | None:
    """The run: only reading a source tells whether it changed, so each run reads it once."""
    return {"run": context.run_id, "source": context.source}


def perform(context: Context) -> Result:
    """Load, snapshot, and run every ``check_data``.

    Raises:
        GateRefused: rows that cannot be measured are not let through.
    """
    funnel, task = context.session.funnel, context.task
    described = context.described or describe(context.session)
    dataset = funnel.first("snapshot_dataset", dataset=described, ws=context.workspace)
    _check_columns(dataset, task)
    context.restore({"dataset": encode(dataset)})
    before = held_against(context, "reference")
    reference = _rows_of(context, before) if before else None
    checks = measured(context, "check_data", rows=context.rows, task=task, reference=reference)
    entries = (
        Entry("dataset.kept", dataset.digest, {"record": encode(dataset)}, context.run_id),
        Entry(
            "checks.measured",
            context.run_id,
            {"phase": "data", "model": None, "checks": encode(checks)},
            context.run_id,
        ),
    )
    warn_of_concerns(context, checks)
    return Result(
        outputs={
            "dataset": encode(dataset),
            "data_checks": encode(checks),
            "reference": before.id if before else None,
        },
        entries=entries,
        text=f"{dataset.rows:,} rows, {len(dataset.fields)} columns, {dataset.digest[:19]}",
        anew=False,  # what is read is no more than it was
    )


def describe(session: Session) -> Dataset:
    """What is behind the task's source, as far as can be told without reading its rows.

    Raises:
        UsageError: a column that the task names is not there.
        HookFailed: there is nothing, or it cannot be read.
    """
    task = session.task
    described: Dataset = session.funnel.first("load_dataset", source=task.dataset, task=task)
    if described.fields:
        _check_columns(described, task)
    return described


def _check_columns(dataset: Dataset, task: Task) -> None:
    names = [field.name for field in dataset.fields]
    for key in ("target", "id", "time"):
        name = getattr(task, key)
        if name is not None and name not in names:
            msg = f"{dataset.source} has no column {name!r}, which [task] {key} names"
            raise UsageError(msg + nearest(name, names))
    for key in ("exclude", "sensitive"):
        for name in getattr(task, key):
            if name not in names:
                msg = f"{dataset.source} has no column {name!r}, which [task] {key} names"
                raise UsageError(msg + nearest(name, names))
    for field in dataset.fields:
        if field.name == task.time:
            _check_time(dataset.source, field)


def _check_time(source: str, field: Field) -> None:
    """Texts have an order, too: as texts, 02.01.2024 comes after 01.12.2024."""
    zoned = field.type.startswith("timestamp") and "tz=" in field.type
    if not (zoned or field.type.startswith(("int", "uint"))):
        msg = (
            f"{source}: the time column {field.name!r} is {field.type}: expected times with their "
            "zone, or whole numbers in order"
        )
        hint = "write 2018-01-31T00:00:00Z, or a number such as 2018 or 20180131"
        raise UsageError(msg, hint=hint)


def _rows_of(context: Context, release: Release) -> pa.Table:
    """The rows that a release was trained on."""
    known = decode(Dataset, outputs_behind(context.session, release)["dataset"])
    if known.digest == context.dataset.digest:
        return context.rows
    return read_rows(context.session, known)
