"""registry-acme keeps every promise that the contract makes of a registry."""

import pytest

from interlock_hookspecs.conformance.registry import RegistrySuite
from interlock_registry_acme import AcmeRegistry


class TestAcmeRegistry(RegistrySuite):
    @pytest.fixture
    def plugin(self, tmp_path):
        return AcmeRegistry(root=tmp_path)


def test_a_run_registers_its_version(interlock_project):
    """In a stack with this registry, a run leaves a version there, and a second one none."""
    project = interlock_project({"registry": "acme"})
    project("run", "--until", "register")
    project("run", "--until", "register")
    (version,) = project.listed("models", "--from-registry")
    assert version["number"] == "1"
