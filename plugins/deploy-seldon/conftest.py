"""What the tests of the target core-v2 share: the plugin for a cluster of the test's own."""

import attrs
import pytest

from interlock_deploy_seldon import SeldonServer


@pytest.fixture
def core_v2(seldon_cluster, tmp_path):
    """Make the plugin for the cluster; settings may be others."""
    made = SeldonServer(
        target="core-v2",
        kubeconfig=seldon_cluster.kubeconfig(tmp_path / "kubeconfig"),
        storage=str(tmp_path / "store"),
        mesh="http://mesh.example",
        ready_seconds=60.0,
        settle_seconds=0.0,
        root=tmp_path,
    )
    return lambda **settings: attrs.evolve(made, **settings)
