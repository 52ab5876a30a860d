"""validate-acme keeps every promise that the contract makes of a validator."""

import pytest

from interlock_hookspecs.conformance.validate import ValidateSuite
from interlock_validate_acme import AcmeChecks


class TestAcmeChecks(ValidateSuite):
    @pytest.fixture
    def plugin(self):
        return AcmeChecks()
