"""deploy-acme keeps every promise that the contract makes of a deployment."""

import pytest

from interlock_deploy_acme import AcmeServer
from interlock_hookspecs.conformance.deploy import DeploySuite


class TestAcmeServer(DeploySuite):
    @pytest.fixture
    def plugin(self):
        return AcmeServer()
