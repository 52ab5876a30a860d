"""What the tests of the target core-v2 ask of the plugin."""

import pytest

from interlock_deploy_seldon.core_v2.conformance import onnx_model
from interlock_hookspecs.conformance.released import ENDPOINT, target_of
from interlock_hookspecs.conformance.workspace import LocalWorkspace


@pytest.fixture
def ws(tmp_path):
    return LocalWorkspace(tmp_path / "workspace")


@pytest.fixture
def released(ws):
    """Make a target of a release's own model."""

    def make(number, weight=1.0, *, mirror=False):
        model = onnx_model(str(number), ws)
        return target_of(number, weight=weight, mirror=mirror, model=model)

    return make


@pytest.fixture
def apply(core_v2, ws):
    """Ask the plugin for targets."""

    def ask(*targets, plugin=None, endpoint=ENDPOINT):
        made = plugin or core_v2()
        return made.apply_endpoint(endpoint=endpoint, id="deployment-1", targets=targets, ws=ws)

    return ask
