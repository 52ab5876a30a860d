"""What the suite of a model format needs to be told: scikit-learn models of each kind to write."""

from __future__ import annotations

from typing import Any

import pytest

from interlock_hookspecs import Signature
from interlock_hookspecs.conformance.model import ModelSuite
from interlock_hookspecs.conformance.pipelines import fitted_pipeline
from interlock_model_onnx import OnnxBundle, OnnxModel


class OnnxModelSuite(ModelSuite):
    """The promises of the format, with pipelines that convert."""

    format = "onnx"

    @pytest.fixture
    def plugin(self) -> Any:
        """The plugin under test."""
        return OnnxModel()

    def fitted(self, plugin: Any, kind: str, seed: int) -> tuple[Any, Signature]:  # noqa: ARG002  (the suite's)
        """A pipeline that is fitted to drawn rows."""
        return fitted_pipeline(kind, seed)


class OnnxBundleSuite(OnnxModelSuite):
    """The same models, in a folder with what runs them."""

    format = "edge"

    @pytest.fixture
    def plugin(self) -> Any:
        """The plugin under test."""
        return OnnxBundle()
