"""model-skops keeps every promise that the contract makes of a model format."""

import pytest

from interlock_hookspecs.conformance.model import ModelSuite
from interlock_hookspecs.conformance.pipelines import fitted_pipeline
from interlock_model_skops import SkopsModel


class TestSkopsModel(ModelSuite):
    format = "skops"

    @pytest.fixture
    def plugin(self):
        return SkopsModel()

    def fitted(self, plugin, kind, seed):
        return fitted_pipeline(kind, seed)
