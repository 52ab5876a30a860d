"""The names of all that is measured, by kind of task: what a bound can be on."""

from __future__ import annotations

_ROWS = (
    "rows",
    "duplicate_rows",
    "duplicate_ids",
    "nulls",
    "constant_columns",
    "unique_text",
    "numbers_as_text",
    "single_feature_auc",
    "missing_columns",
    "new_columns",
    "type_changes",
    "out_of_range",
    "unseen_categories",
)
_MODEL = ("overfit_gap", "lift_over_baseline", "champion_difference")

MEASURES = {
    "binary": (
        *_ROWS,
        "target_balance",
        *_MODEL,
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier",
        "calibration_in_the_large",
        "calibration_error",
    ),
    "multiclass": (
        *_ROWS,
        "target_balance",
        *_MODEL,
        "accuracy",
        "recall",
        "precision_macro",
        "recall_macro",
        "f1_macro",
        "precision_weighted",
        "f1_weighted",
        "roc_auc_ovr_macro",
        "log_loss",
        "brier",
    ),
    "regression": (*_ROWS, *_MODEL, "r2", "rmse", "mae", "median_ae", "mean_error"),
}
"""Without subjects: ``recall`` of a multiclass task is given as ``recall[CLASS]``."""
