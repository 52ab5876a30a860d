"""Validation: checks, measured on data and on a candidate. Measuring is not judging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.rules import every

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.checks import Check
    from interlock_hookspecs.models import Predictor
    from interlock_hookspecs.tasks import Task


@every("validate")
def check_data(rows: pa.Table, task: Task, reference: pa.Table | None) -> tuple[Check, ...]:
    """Measure the rows before anything is fitted to them.

    Asked: all plugins; their lists are joined in stack order.

    Args:
        rows: the whole dataset.
        task: what the rows are for.
        reference: the rows that the project's champion was trained on, or None. Where the champion
            was made of these very rows, task, code and settings: what it was held against itself.

    Raises:
        InvalidInput: the rows cannot serve the task at all, for example without the target.

    Example:
        >>> class Nulls:
        ...     @hookimpl
        ...     def check_data(self, rows, task, reference):
        ...         return [Check(name="nulls", subject=name, value=rows[name].null_count)
        ...                 for name in task.features(rows.column_names)]
        >>> import pyarrow as pa
        >>> Nulls().check_data(pa.table({"x": [1, None]}), Task(dataset="d"), None)[0].value
        1
    """


@every("validate")
def check_model(
    predictor: Predictor,
    heldout: pa.Table,
    training: pa.Table,
    task: Task,
    champion: Predictor | None,
) -> tuple[Check, ...]:
    """Measure a candidate on rows that it has not seen.

    Asked: all plugins; their lists are joined in stack order.

    Args:
        predictor: the candidate, opened from its file.
        heldout: the held-out rows, with the target.
        training: the rows it was fitted on.
        task: with the decision threshold (`decide` applies it).
        champion: the model in use, or None. It has not seen the held-out rows either. Where the
            candidate is the model in use, made once more: what that one was held against itself.

    Raises:
        InvalidInput: nothing can be measured; a single check that cannot be is a `Check`
            without a value and with a reason.

    Example:
        >>> class Size:
        ...     @hookimpl
        ...     def check_model(self, predictor, heldout, training, task, champion):
        ...         return [Check(name="heldout_rows", value=heldout.num_rows)]
        >>> import pyarrow as pa
        >>> rows = pa.table({"x": [1]})
        >>> Size().check_model(None, rows, rows, Task(dataset="d"), None)[0].value
        1
    """
