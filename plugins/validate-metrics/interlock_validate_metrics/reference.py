"""The rows beside those that the champion was trained on: columns, types, ranges, categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from interlock_hookspecs import Check, logical_type
from interlock_validate_metrics.columns import Categories, Column, Numbers, encoded
from interlock_validate_metrics.estimates import VERSION, counted, facts

if TYPE_CHECKING:
    import pyarrow as pa

NO_REFERENCE = "there is no champion yet, so no rows to compare with"
_WHOLE = ("missing_columns", "new_columns", "type_changes", "out_of_range", "unseen_categories")


def reference_checks(
    rows: pa.Table, features: Mapping[str, Column | None], reference: pa.Table | None
) -> list[Check]:
    """What is new in the rows against the reference.

    Without a reference each whole-table check is 0 and says so in ``reason`` and ``facts``, as
    with the champion's differences: a policy that forbids surprises can then be met by a
    project's first model. Checks of one column exist only beside a reference.
    """
    n = rows.num_rows
    if reference is None:
        return [
            Check(
                name=name,
                value=0.0,
                n=n,
                method="no reference",
                version=VERSION,
                reason=NO_REFERENCE,
                facts=facts(reference=False),
            )
            for name in _WHOLE
        ]
    numbers, words = _out_of_range(features, reference), _unseen(features, reference)
    return [
        *_schema(rows, reference),
        *_shares("out_of_range", numbers, n, "are outside its range"),
        *_shares("unseen_categories", words, n, "hold a category new to it"),
    ]


def _schema(rows: pa.Table, reference: pa.Table) -> list[Check]:
    now = {field.name: logical_type(field.type) for field in rows.schema}
    then = {field.name: logical_type(field.type) for field in reference.schema}
    missing = [name for name in then if name not in now]
    new = [name for name in now if name not in then]
    changed = {
        name: f"{then[name]} -> {kind}"
        for name, kind in now.items()
        if name in then and then[name] != kind
    }
    n = rows.num_rows
    return [
        counted(
            "missing_columns",
            len(missing),
            n,
            concern=f"no longer there: {', '.join(missing)}" if missing else "",
        ),
        counted(
            "new_columns",
            len(new),
            n,
            concern=f"not there before: {', '.join(new)}" if new else "",
        ),
        counted(
            "type_changes",
            len(changed),
            n,
            concern=f"other types than before: {', '.join(changed)}" if changed else "",
            facts=changed,
        ),
    ]


def _shares(name: str, found: Mapping[str, int], n: int, what: str) -> list[Check]:
    """A share of rows by column, and the largest of them; 0 where no column can have any."""
    if not found:
        reason = "no feature of this kind is in both the rows and the reference"
        return [counted(name, 0.0, n, reason=reason, facts=facts(reference=True))]
    worst = max(found, key=found.__getitem__)
    checks = [counted(name, found[worst] / n, n, facts=facts(column=worst, reference=True))]
    for column, rows in found.items():
        concern = f"{column}: beside the reference, {rows} of {n} rows {what}" if rows else ""
        checks.append(counted(name, rows / n, n, subject=column, concern=concern))
    return checks


def _out_of_range(features: Mapping[str, Column | None], reference: pa.Table) -> dict[str, int]:
    import numpy as np

    found = {}
    for name, column in features.items():
        if not isinstance(column, Numbers) or name not in reference.column_names:
            continue
        before = encoded(reference[name])
        if isinstance(before, Numbers) and not before.missing.all():
            low, high = np.nanmin(before.values), np.nanmax(before.values)
            found[name] = int(((column.values < low) | (column.values > high)).sum())
    return found


def _unseen(features: Mapping[str, Column | None], reference: pa.Table) -> dict[str, int]:
    import pyarrow.compute as pc

    found = {}
    for name, column in features.items():
        if not isinstance(column, Categories) or name not in reference.column_names:
            continue
        before = encoded(reference[name])
        if isinstance(before, Categories):
            known = pc.is_in(column.values.cast(before.values.type), value_set=_seen(before))
            found[name] = int(column.counts[~known.to_numpy(zero_copy_only=False)].sum())
    return found


def _seen(column: Categories) -> pa.Array:
    import pyarrow as pa

    # A dictionary may hold values that no row has.
    return column.values.filter(pa.array(column.counts > 0))
