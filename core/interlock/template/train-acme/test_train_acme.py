"""train-acme keeps every promise that the contract makes of a trainer."""

import pytest

from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.train import TrainSuite
from interlock_train_acme import FORMAT, AcmeFormat, AcmeTrainer


class TestAcmeTrainer(TrainSuite):
    @pytest.fixture
    def plugin(self):
        return AcmeTrainer()

    @pytest.fixture
    def ws(self, tmp_path):
        return LocalWorkspace(tmp_path, openers={FORMAT: AcmeFormat()})
