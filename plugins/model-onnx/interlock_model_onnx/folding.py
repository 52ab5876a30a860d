"""Scaling right before a linear model, taken into the model's coefficients.

``(x * a + b) @ w + c`` is ``x @ (a * w) + (b @ w + c)``: the scaling, which over many rows takes
longer than the model, is done once.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Affine = tuple[np.ndarray, np.ndarray]
    """By what each column is multiplied, and what is added then."""

_FURTHEST = 16.0
"""How far from zero a column's mean may be, in its own unit of scale. What is folded computes with
numbers of that size instead of some around zero: of a float's 24 bits this leaves 20."""
_LINEAR = (
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "Ridge",
    "RidgeCV",
    "SGDClassifier",
    "SGDRegressor",
)


def folded(fitted: Any) -> Any:
    """An estimator that computes the same without the scaling before its linear model.

    Itself where there is none, where what follows is no linear model of scikit-learn, or where
    a column's numbers are so far from zero that single precision would tell.

    Args:
        fitted: an estimator or pipeline; it is not changed.
    """
    from sklearn.pipeline import Pipeline

    if not isinstance(fitted, Pipeline) or not _is_linear(fitted.steps[-1][1]):
        return fitted
    *before, (name, model) = fitted.steps
    whole: Affine | None = None
    while before and (affine := _affine(before[-1][1])) is not None:
        affine = affine if whole is None else _after(affine, whole)
        if not _is_near(affine):
            break
        before.pop()
        whole = affine
    if whole is None:
        return fitted
    return Pipeline([*before, (name, _with(model, whole))])


def _is_linear(model: Any) -> bool:
    import numpy as np
    from sklearn import linear_model

    # Not a class derived from one: it may compute something else.
    known = type(model) in [getattr(linear_model, name) for name in _LINEAR]
    return known and isinstance(model.coef_, np.ndarray)


def _affine(step: Any) -> Affine | None:
    """What a step does to each column; None where that is not all it does."""
    import numpy as np
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

    if type(step) is StandardScaler:
        center, unit = step.mean_ if step.with_mean else None, step.scale_
    elif type(step) is RobustScaler:
        center, unit = step.center_, step.scale_
    elif type(step) is MaxAbsScaler and not getattr(step, "clip", False):
        center, unit = None, step.scale_
    elif type(step) is MinMaxScaler and not step.clip:
        center, unit = -step.min_ / step.scale_, 1 / step.scale_
    else:
        return None
    width = step.n_features_in_
    factor = np.ones(width) if unit is None else 1 / unit
    added = np.zeros(width) if center is None else -center * factor
    return factor, added


def _after(first: Affine, second: Affine) -> Affine:
    """What both do, one after the other."""
    return first[0] * second[0], first[1] * second[0] + second[1]


def _is_near(affine: Affine) -> bool:
    """Whether no column is so far from zero that single precision would tell."""
    import numpy as np

    return bool(np.abs(affine[1]).max() <= _FURTHEST)


def _with(model: Any, affine: Affine) -> Any:
    """A linear model of what the columns were before this was done to them."""
    factor, added = affine
    made = copy.copy(model)
    made.intercept_ = model.intercept_ + model.coef_ @ added
    made.coef_ = model.coef_ * factor
    return made
