"""Serves released models from this machine over the Open Inference Protocol V2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import interlock_serving
from interlock_hookspecs import (
    CaptureSink,
    Deployment,
    Endpoint,
    EndpointStatus,
    TargetFeed,
    Traffic,
    hookimpl,
    plugin,
)

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace


@plugin(contract="1.0")
class LocalServer(interlock_serving.ServerSettings):
    """An HTTP server: batches what waits, swaps models without a failed request."""

    @hookimpl
    def serve_endpoint(
        self, endpoint: Endpoint, feed: TargetFeed, captures: CaptureSink, ws: Workspace
    ) -> None:
        """Serve until SIGTERM or SIGINT."""
        interlock_serving.serve_endpoint(self, endpoint, feed, captures, ws)

    @hookimpl
    def endpoint_status(self, deployment: Deployment) -> EndpointStatus:
        """Ask the server's own readiness."""
        return interlock_serving.endpoint_status(self, deployment)

    @hookimpl
    def read_traffic(self, deployment: Deployment) -> tuple[Traffic, ...]:
        """Ask the server for its counts."""
        return interlock_serving.read_traffic(self, deployment)
