"""train-sklearn keeps every promise that the contract makes of a trainer."""

import pytest

from interlock_hookspecs.conformance.train import TrainSuite
from interlock_train_sklearn import SklearnTrainer


class TestSklearnTrainer(TrainSuite):
    """The default estimator, with few trees: what is promised of one is promised of all."""

    @pytest.fixture
    def plugin(self):
        return SklearnTrainer(parameters={"max_iter": 3})
