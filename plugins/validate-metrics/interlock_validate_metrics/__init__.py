"""validate-metrics: how good a model is on rows it has not seen, and whether its data is sound.

`data_checks`, `reference` and `leakage` look at rows before anything is fitted; `model_checks`
scores a candidate once on each set of rows and hands the scores to `binary`, `multiclass` or
`regression`. Every metric is an `Estimate`: a value with each row's influence on it, from which
its interval, the train/held-out gap and the paired difference from the champion follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import Check, Predictor, Task, hookimpl, plugin, setting
from interlock_validate_metrics.names import MEASURES

if TYPE_CHECKING:
    import pyarrow as pa


def _share(_instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 <= value <= 1:
        msg = f"{attribute.name} is outside 0 to 1"
        raise ValueError(msg)


@plugin(contract="1.0", kinds=tuple(MEASURES), measures=MEASURES)
class Metrics:
    """Measures binary, multiclass and regression models, and the rows they are fitted to."""

    bins: int = setting(
        10, doc="equal-width bins of the calibration error", validator=attrs.validators.ge(2)
    )
    concern_gap: float = setting(
        0.05, doc="the train/held-out gap from which a concern is raised", validator=_share
    )
    concern_leakage: float = setting(
        0.95, doc="the single-feature ROC AUC from which a concern is raised", validator=_share
    )
    concern_nulls: float = setting(
        0.5, doc="the share of nulls in a column from which a concern is raised", validator=_share
    )

    @hookimpl
    def check_data(
        self, rows: pa.Table, task: Task, reference: pa.Table | None
    ) -> tuple[Check, ...]:
        """Rows, duplicates, nulls, target balance, drift from the reference, label leakage."""
        from interlock_validate_metrics.data_checks import check_rows

        return check_rows(
            rows, task, reference, leakage=self.concern_leakage, nulls=self.concern_nulls
        )

    @hookimpl
    def check_model(
        self,
        predictor: Predictor,
        heldout: pa.Table,
        training: pa.Table,
        task: Task,
        champion: Predictor | None,
    ) -> tuple[Check, ...]:
        """The kind's metrics with intervals, over- and underfitting, and the champion beside it."""
        from interlock_validate_metrics.model_checks import check_candidate

        return check_candidate(
            predictor, heldout, training, task, champion, bins=self.bins, gap=self.concern_gap
        )
