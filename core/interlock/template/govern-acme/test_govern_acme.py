"""govern-acme keeps every promise that the contract makes of governance."""

import pytest

from interlock_govern_acme import AcmeGate
from interlock_hookspecs.conformance.govern import GovernSuite


class TestAcmeGate(GovernSuite):
    @pytest.fixture
    def plugin(self):
        return AcmeGate()
