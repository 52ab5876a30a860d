"""Measures how often a model is right, and how much of each column is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    PREDICTION,
    Check,
    InvalidInput,
    Predictor,
    Task,
    decide,
    hookimpl,
    plugin,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa


@plugin(contract="1.0", kinds=("binary", "multiclass"), measures=("nulls", "accuracy"))
class AcmeChecks:
    """The share of nulls in each feature, and the share of right answers on held-out rows."""

    concern_nulls: float = setting(
        0.5,
        doc="the share of nulls in a column, 0 to 1, over which a concern is raised",
        validator=attrs.validators.ge(0.0),
    )

    @hookimpl
    def check_data(self, rows: pa.Table, task: Task) -> tuple[Check, ...]:
        if rows.num_rows == 0:
            raise InvalidInput("there are no rows: look at [task] dataset")
        return tuple(
            self._nulls(name, rows[name].null_count, rows.num_rows)
            for name in task.features(rows.column_names)
        )

    @hookimpl
    def check_model(self, predictor: Predictor, heldout: pa.Table, task: Task) -> tuple[Check, ...]:
        import pyarrow.compute as pc

        if task.target not in heldout.column_names:
            raise InvalidInput(f"there is no column {task.target!r}: set [task] target")
        known = heldout.filter(pc.is_valid(heldout[task.target]))
        if known.num_rows == 0:
            return (Check(name="accuracy", n=0, reason="no held-out row has the target"),)
        answers = decide(predictor.predict(known), predictor.signature, task.threshold)
        right = pc.sum(pc.equal(answers[PREDICTION], known[task.target])).as_py() or 0
        low, high = wilson(right, known.num_rows)
        return (
            Check(
                name="accuracy",
                value=right / known.num_rows,
                n=known.num_rows,
                low=low,
                high=high,
                method="wilson",
            ),
        )

    def _nulls(self, name: str, nulls: int, rows: int) -> Check:
        share = nulls / rows
        concern = f"{name} is missing in {share:.0%} of rows" if share > self.concern_nulls else ""
        return Check(name="nulls", subject=name, value=share, n=rows, concern=concern)


def wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Both ends of the 95% interval of a share: E. B. Wilson, JASA 22 (1927), 209-212."""
    share, weight = hits / n, z * z / n
    centre = (share + weight / 2) / (1 + weight)
    spread = z / (1 + weight) * (share * (1 - share) / n + weight / (4 * n)) ** 0.5
    return max(0.0, centre - spread), min(1.0, centre + spread)
