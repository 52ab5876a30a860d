"""The promises of a deployment plugin: a server of ours, or one elsewhere that is told."""

from __future__ import annotations

from typing import Any

from interlock_hookspecs import Deployment
from interlock_hookspecs.conformance.applying import ApplyingPromises, apply
from interlock_hookspecs.conformance.endpoints import status_of
from interlock_hookspecs.conformance.released import ENDPOINT
from interlock_hookspecs.conformance.splitting import SplittingPromises
from interlock_hookspecs.conformance.suite import has, needs
from interlock_hookspecs.conformance.workspace import LocalWorkspace


class DeploySuite(SplittingPromises, ApplyingPromises):
    """What core relies on in a deployment.

    ``serve_endpoint`` and ``apply_endpoint`` stand in for each other: the tests of the one that a
    plugin lacks are left out. ``remove_endpoint``, ``read_captures`` and ``read_traffic`` are
    optional; the last is what a release is rolled out in steps by.
    """

    role = "deploy"

    def exercise(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Ask for the status of an endpoint, and where it is elsewhere make one first."""
        self.test_an_endpoint_that_never_was_is_no_error(plugin)
        if has(plugin, "apply_endpoint"):
            self.test_it_serves_exactly_what_is_asked(plugin, ws)

    def provoke(self, plugin: Any, ws: LocalWorkspace) -> None:
        """Ask for a model that is gone to be served."""
        needs(plugin, "apply_endpoint")
        apply(plugin, [self.lost_target(ws)], ws)

    def test_an_endpoint_that_never_was_is_no_error(self, plugin: Any) -> None:
        """The status of an endpoint without an address, or where nothing listens, says so."""
        for address in ("", "http://127.0.0.1:9", "http://[", "no address"):
            deployment = Deployment(id="deployment-0", endpoint=ENDPOINT, address=address)
            status = status_of(plugin, deployment)
            assert not status.live, f"nothing is at {address!r}, and it is called alive"
            assert not status.ready, f"nothing is at {address!r}, and it is called ready"
            assert status.detail, f"of {address!r} nothing is said"
