"""data-acme keeps every promise that the contract makes of a plugin that reads data."""

import pytest

from interlock_data_acme import AcmeData
from interlock_hookspecs.conformance.data import DataSuite


class TestAcmeData(DataSuite):
    @pytest.fixture
    def plugin(self):
        return AcmeData()
