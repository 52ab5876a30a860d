"""A fitted scikit-learn pipeline of each kind: for the suites of the formats that write those."""

from __future__ import annotations

from typing import Any

from interlock_hookspecs import Field, Signature

_CLASSES: dict[str, tuple[Any, ...]] = {"binary": (0, 1), "multiclass": ("a", "b", "c")}
_INPUTS = (("x", "double"), ("größe [cm]", "int64"), ("city", "string"))
_ROWS = 200


def fitted_pipeline(kind: str, seed: int) -> tuple[Any, Signature]:
    """A pipeline with text among its inputs, and trees that are binned by several threads.

    It is what `ModelSuite.fitted` has to give, and needs scikit-learn.

    Args:
        kind: ``binary``, ``multiclass`` or ``regression``.
        seed: of the 200 rows that it is fitted to; a new pipeline each time, of equal state for
            one seed.
    """
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    draw = np.random.default_rng(seed)
    x = draw.normal(0, 1, _ROWS)
    city = draw.choice(["Lowell", "Salem", "Lynn"], _ROWS)
    rows = np.array(list(zip(x, draw.integers(150, 200, _ROWS), city, strict=True)), object)
    classes = _CLASSES.get(kind, ())
    boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    pipeline = make_pipeline(
        ColumnTransformer([("city", encoder, [2])], remainder="passthrough"),
        boosting(max_iter=5, random_state=0),
    )
    noisy = x + draw.normal(0, 0.5, _ROWS)
    bins = [0] if kind == "binary" else [-0.5, 0.5]
    target = np.array(classes)[np.digitize(noisy, bins)] if classes else noisy
    return pipeline.fit(rows, target), _signature(kind, classes)


def _signature(kind: str, classes: tuple[Any, ...]) -> Signature:
    names = {"binary": ["score"], "regression": ["prediction"]}
    outputs = names.get(kind) or [f"score[{label}]" for label in classes]
    return Signature(
        kind=kind,
        inputs=tuple(Field(name=name, type=type_) for name, type_ in _INPUTS),
        outputs=tuple(Field(name=name, type="double", nullable=False) for name in outputs),
        classes=classes,
        positive=1 if kind == "binary" else None,
    )
