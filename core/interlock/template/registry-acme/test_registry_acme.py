"""registry-acme keeps every promise that the contract makes of a registry."""

import pytest

from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_registry_acme import AcmeRegistry


class TestAcmeRegistry(RegistrySuite):
    @pytest.fixture
    def plugin(self, tmp_path):
        return AcmeRegistry(root=tmp_path)
