"""The deploy suite on the target core-v2, the official client against a stand-in of the API."""

import pytest

from interlock_deploy_seldon.core_v2.conformance import SeldonSuite


@pytest.mark.stand_in
class TestCoreV2(SeldonSuite):
    """Without a Prometheus it claims no counts."""

    @pytest.fixture
    def plugin(self, core_v2):
        return core_v2()


@pytest.mark.stand_in
class TestCoreV2WithCounts(TestCoreV2):
    """With one it claims them; and models are behind pipelines."""

    @pytest.fixture
    def plugin(self, core_v2, prometheus):
        return core_v2(prometheus=prometheus.url, pipeline=True)
