"""What stands between the matrix and the estimator: as little as the estimator needs.

An estimator that takes NaN is given a table of numbers as it is. Categories become codes in a
first step of their own, in the order of their values (of their numbers, where all are numbers),
so that it can be computed from Arrow at once; what follows is an ordinary pipeline over floats.
An estimator that the project built as a pipeline is given the matrix untouched.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import InvalidInput, is_number
from interlock_train_sklearn.rows import Features

if TYPE_CHECKING:
    import numpy as np

# Trees cut an order of codes wherever it helps; anything else would take it for a distance.
_TREES = (
    "sklearn.tree.",
    "sklearn.ensemble._bagging",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._gb",
    "sklearn.ensemble._weight_boosting",
)


@attrs.frozen(kw_only=True, eq=False)
class Prepared:
    """A matrix, and the pipeline to fit to it.

    Attributes:
        matrix: what ``rest`` is fitted to.
        encoder: the fitted first step, from the convention's matrix to ``matrix``, or None.
        rest: unfitted.
    """

    matrix: np.ndarray
    encoder: Any
    rest: Any

    def whole(self, fitted: Any) -> Any:
        """The fitted model from the convention's matrix on."""
        from sklearn.pipeline import Pipeline

        if self.encoder is None:
            return fitted
        steps = fitted.steps if isinstance(fitted, Pipeline) else [("estimator", fitted)]
        return Pipeline([("columns", self.encoder), *steps])


def prepare(features: Features, estimator: Any, categorical: Collection[str]) -> Prepared:
    """Put before an estimator what it cannot do itself.

    Args:
        features: of the training rows.
        estimator: unfitted.
        categorical: features of numbers that are categories all the same.

    Raises:
        InvalidInput: ``categorical`` names no feature.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.utils import get_tags

    names = [field.name for field in features.fields]
    unknown = [name for name in categorical if name not in names]
    if unknown:
        raise InvalidInput(f"categorical names {unknown[0]!r}, which is no feature")
    if isinstance(estimator, Pipeline):
        if categorical:
            raise InvalidInput("categorical is set, but a pipeline prepares its columns itself")
        return Prepared(matrix=features.matrix(), encoder=None, rest=estimator)
    takes_nan = bool(get_tags(estimator).input_tags.allow_nan)
    places = [
        place
        for place, field in enumerate(features.fields)
        if field.name in categorical or not is_number(field.type)
    ]
    encoder = None
    matrix = features.matrix() if not places else None
    if matrix is None:
        other = float("nan") if takes_nan else -1
        encoder, matrix = _encode(features, places, other)
    steps = [] if takes_nan else _numeric_steps(estimator, len(places), len(names))
    rest = Pipeline([*steps, ("estimator", estimator)]) if steps else estimator
    return Prepared(matrix=matrix, encoder=encoder, rest=rest)


def _encode(features: Features, places: list[int], other: float) -> tuple[Any, np.ndarray]:
    """The first step, fitted, and its output: the categories' codes, then the numbers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    numbers = [place for place in range(len(features.fields)) if place not in places]
    matrix = np.empty((features.rows, len(features.fields)))
    categories = []
    for target, place in enumerate(places):
        column = features.columns[place]
        found = _sorted(pc.unique(column).drop_null().to_pylist())
        numeric = is_number(features.fields[place].type)
        values = pa.array(found, pa.float64() if numeric else pa.string())
        codes = pc.index_in(column, value_set=values).cast(pa.float64()).fill_null(other)
        matrix[:, target] = codes.to_numpy(zero_copy_only=False)
        categories.append(np.array(found, np.float64 if numeric else object))
    for target, place in enumerate(numbers, start=len(places)):
        matrix[:, target] = features.columns[place].to_numpy(zero_copy_only=False)
    encoder = OrdinalEncoder(
        categories=categories, handle_unknown="use_encoded_value", unknown_value=other
    )
    step = ColumnTransformer([("categories", encoder, places), ("numbers", "passthrough", numbers)])
    # Its categories are given: one row is enough for the step to know its columns.
    step.fit(features.matrix(1))
    return step, matrix


def _sorted(values: list[Any]) -> list[Any]:
    """In the order of the numbers that they are or spell, else in that of the texts.

    >>> _sorted(["10", "9", "1"]), _sorted(["b", "a", "10"])
    (['1', '9', '10'], ['10', 'a', 'b'])
    """
    kept = [value for value in values if value == value]  # noqa: PLR0124  (NaN is missing)
    try:
        return sorted(kept, key=lambda value: (float(value), value))
    except ValueError:
        return sorted(kept)


def _numeric_steps(estimator: Any, categories: int, width: int) -> list[tuple[str, Any]]:
    """For an estimator that refuses NaN: a median for missing numbers, a column a category."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    # Also where the training rows lack nothing: a served model must bear what comes.
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    if not categories or type(estimator).__module__.startswith(_TREES):
        return [("numbers", median)]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return [
        (
            "prepare",
            ColumnTransformer(
                [
                    ("categories", one_hot, list(range(categories))),
                    ("numbers", median, list(range(categories, width))),
                ]
            ),
        )
    ]
