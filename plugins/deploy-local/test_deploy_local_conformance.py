"""deploy-local keeps every promise that the contract makes of a server of ours."""

import pytest

from interlock_deploy_local import LocalServer
from interlock_hookspecs.conformance.deploy import DeploySuite

pytestmark = pytest.mark.real_backend


class TestLocalServer(DeploySuite):
    @pytest.fixture
    def plugin(self):
        return LocalServer()
