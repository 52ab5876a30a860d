"""The project's own checks: a plugin too, without packaging, as conftest.py is to pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import Check, hookimpl

if TYPE_CHECKING:
    import pyarrow as pa


@hookimpl
def check_data(rows: pa.Table) -> list[Check]:
    """How many of the people are of working age: the survey also holds children."""
    import pyarrow.compute as pc

    ages = rows["AGEP"]
    working = pc.and_(pc.greater_equal(ages, 16), pc.less(ages, 65))
    share = pc.mean(working.cast("int8")).as_py()
    return [Check(name="working_age_share", value=share, n=rows.num_rows)]
