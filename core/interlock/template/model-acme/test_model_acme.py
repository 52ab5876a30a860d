"""model-acme keeps every promise that the contract makes of a model format."""

from interlock_model_acme_conformance import AcmeFormatSuite


class TestAcmeFormat(AcmeFormatSuite):
    pass
