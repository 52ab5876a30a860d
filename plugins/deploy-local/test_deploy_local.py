"""deploy-local hands what it is asked to the server; the server's own tests are beside it."""

import logging
import threading
from types import SimpleNamespace

import pytest

from interlock_deploy_local import LocalServer
from interlock_hookspecs import Deployment, Endpoint, Unavailable

pytestmark = pytest.mark.real_backend

ENDPOINT = Endpoint(name="employment", project="labour", stack="dev")
DEPLOYMENT = Deployment(id="deployment-1", endpoint=ENDPOINT, address="http://127.0.0.1:1")


class Feed:
    """Serves nothing; told where the server listens."""

    current = ()
    problem = ""

    def __init__(self):
        self.told = threading.Event()
        self.address = ""

    def watch(self, changed):
        """Nothing changes."""

    def started(self, address):
        self.address = address
        self.told.set()


def test_it_serves_says_how_it_is_and_what_it_was_asked(tmp_path):
    """Without a release it is live and not ready, with its settings heard, and ends when told."""
    import interlock_serving.server

    log = tmp_path / "access.log"
    plugin, feed, servers = LocalServer(access_log=log), Feed(), []
    made = interlock_serving.server.EndpointServer.__init__
    ws = SimpleNamespace(log=logging.getLogger("test"))
    captures = SimpleNamespace(lost=0)

    def remembered(self, *arguments):
        servers.append(self)
        made(self, *arguments)

    def serve():
        plugin.serve_endpoint(ENDPOINT, feed, captures, ws)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interlock_serving.server.EndpointServer, "__init__", remembered)
        thread = threading.Thread(target=serve)
        thread.start()
        assert feed.told.wait(60)
    deployment = Deployment(id="deployment-1", endpoint=ENDPOINT, address=feed.address)
    status = plugin.endpoint_status(deployment)
    assert (status.live, status.ready, status.detail) == (True, False, "no release is served here")
    assert plugin.read_traffic(deployment) == ()
    servers[0].stop()
    thread.join(60)
    assert not thread.is_alive()
    assert log.read_text().count("/v2/health/ready") == 2


def test_where_nothing_answers_the_status_says_so_and_counts_are_unavailable():
    """That an endpoint is gone is a status; how it was asked cannot be told."""
    assert not LocalServer().endpoint_status(DEPLOYMENT).live
    with pytest.raises(Unavailable, match="does not answer"):
        LocalServer().read_traffic(DEPLOYMENT)
