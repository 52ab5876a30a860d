"""validate-fairness: what a model decides, and gets right, for each group of the sensitive columns.

`groups` finds the groups, `outcomes` turns a candidate's answers into rows to be counted,
`measures` counts them by group, `comparison` holds the groups of a column against each other,
`card` puts it all into a table. It measures; what is fair enough is the policy's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from interlock_hookspecs import (
    CardSection,
    Check,
    Dossier,
    Predictor,
    Task,
    hookimpl,
    plugin,
    setting,
)

if TYPE_CHECKING:
    import pyarrow as pa


_MEASURES = {
    "binary": (
        "selection_rate",
        "selection_rate_difference",
        "selection_rate_ratio",
        "tpr",
        "tpr_ratio",
        "fpr",
        "equal_opportunity_difference",
        "equalized_odds_difference",
        "equalized_odds_ratio",
    ),
    "multiclass": (
        "accuracy",
        "accuracy_difference",
        "accuracy_ratio",
        "selection_rate_difference",
    ),
    "regression": (
        "mean_prediction",
        "mean_prediction_difference",
        "mean_error",
        "mean_error_difference",
        "mae",
        "mae_difference",
    ),
}


@plugin(contract="1.0", measures=_MEASURES)
class Fairness:
    """Compares the groups of ``[task] sensitive`` on held-out rows."""

    intersections: bool = setting(
        default=True, doc="whether pairs of sensitive columns are compared too"
    )
    max_groups: int = setting(
        50,
        doc="a column with more values than this is not measured, and the check says why",
        validator=attrs.validators.ge(2),
    )
    concern_ratio: float = setting(
        0.8,
        doc="a ratio of rates under this raises a concern (the four-fifths rule)",
        validator=[attrs.validators.ge(0.0), attrs.validators.le(1.0)],
    )

    @hookimpl
    def check_model(
        self,
        predictor: Predictor,
        heldout: pa.Table,
        training: pa.Table,  # noqa: ARG002  (the hook's; only unseen rows tell how groups fare)
        task: Task,
        champion: Predictor | None,  # noqa: ARG002  (the hook's)
    ) -> tuple[Check, ...]:
        """Rates by group, and their differences and ratios by column."""
        if not task.sensitive:
            return ()
        from interlock_validate_fairness.comparison import check_groups
        from interlock_validate_fairness.groups import groupings
        from interlock_validate_fairness.outcomes import outcomes

        found = groupings(heldout, task, pairs=self.intersections, most=self.max_groups)
        measures = outcomes(predictor, heldout, task)
        return check_groups(found, measures, task.min_group, self.concern_ratio)

    @hookimpl
    def describe_model(self, dossier: Dossier) -> tuple[CardSection, ...]:
        """The groups of each column in a table."""
        from interlock_validate_fairness.card import section

        return section(dossier)
