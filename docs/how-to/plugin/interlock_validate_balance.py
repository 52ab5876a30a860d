"""How rare the rarest class of a dataset is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import Check, InvalidInput, Task, hookimpl, plugin, setting

if TYPE_CHECKING:
    import pyarrow as pa


@plugin(contract="1.0", kinds=("binary", "multiclass"), measures=("rarest_class",))
class Balance:
    """Measures the share of the rarest class."""

    concern_below: float = setting(0.05, doc="the share under which a concern is raised")

    @hookimpl
    def check_data(self, rows: pa.Table, task: Task) -> tuple[Check, ...]:
        """The share of the rarest class, with the number of rows it rests on."""
        import pyarrow.compute as pc

        if task.target is None:
            return ()
        if task.target not in rows.column_names or rows.num_rows == 0:
            raise InvalidInput(f"there is nothing in a column {task.target!r}: set [task] target")
        counts = pc.value_counts(rows[task.target].combine_chunks()).field("counts")
        share = min(counts.to_pylist()) / rows.num_rows
        concern = f"the rarest class has {share:.1%} of the rows"
        return (
            Check(
                name="rarest_class",
                value=share,
                n=rows.num_rows,
                method="counted",
                concern=concern if share < self.concern_below else "",
            ),
        )
