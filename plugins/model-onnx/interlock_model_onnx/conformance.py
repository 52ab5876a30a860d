"""What the suite of a model format needs to be told: scikit-learn models of each kind to write."""

from __future__ import annotations

from typing import Any

import pytest

from interlock_hookspecs import Field, Signature
from interlock_hookspecs.conformance.model import ModelSuite
from interlock_model_onnx import OnnxBundle, OnnxModel

CLASSES: dict[str, tuple[Any, ...]] = {"binary": (0, 1), "multiclass": ("a", "b", "c")}
INPUTS = (("x", "double"), ("größe [cm]", "int64"), ("city", "string"))


class OnnxModelSuite(ModelSuite):
    """A pipeline with text among its inputs, and trees that are binned by several threads."""

    format = "onnx"

    @pytest.fixture
    def plugin(self) -> Any:
        """The plugin under test."""
        return OnnxModel()

    def fitted(self, plugin: Any, kind: str, seed: int) -> tuple[Any, Signature]:  # noqa: ARG002  (the suite's)
        """A pipeline that is fitted to drawn rows."""
        import numpy as np
        from sklearn.compose import ColumnTransformer
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OrdinalEncoder

        draw = np.random.default_rng(seed)
        x = draw.normal(0, 1, 200)
        city = draw.choice(["Lowell", "Salem", "Lynn"], 200)
        rows = np.array(list(zip(x, draw.integers(150, 200, 200), city, strict=True)), object)
        classes = CLASSES.get(kind, ())
        boosting = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        pipeline = make_pipeline(
            ColumnTransformer([("city", encoder, [2])], remainder="passthrough"),
            boosting(max_iter=5, random_state=0),
        )
        noisy = x + draw.normal(0, 0.5, 200)
        bins = [0] if kind == "binary" else [-0.5, 0.5]
        target = np.array(classes)[np.digitize(noisy, bins)] if classes else noisy
        names = {"binary": ["score"], "regression": ["prediction"]}
        outputs = names.get(kind) or [f"score[{label}]" for label in classes]
        return pipeline.fit(rows, target), Signature(
            kind=kind,
            inputs=tuple(Field(name=name, type=type_) for name, type_ in INPUTS),
            outputs=tuple(Field(name=name, type="double", nullable=False) for name in outputs),
            classes=classes,
            positive=1 if kind == "binary" else None,
        )


class OnnxBundleSuite(OnnxModelSuite):
    """The same models, in a folder with what runs them."""

    format = "edge"

    @pytest.fixture
    def plugin(self) -> Any:
        """The plugin under test."""
        return OnnxBundle()
