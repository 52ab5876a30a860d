"""monitor-acme keeps every promise that the contract makes of a monitor."""

import pytest

from interlock_hookspecs.conformance.monitor import MonitorSuite
from interlock_monitor_acme import AcmeMonitor


class TestAcmeMonitor(MonitorSuite):
    @pytest.fixture
    def plugin(self):
        return AcmeMonitor()
