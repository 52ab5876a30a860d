"""Serves released models through Seldon: an MLServer behind our router, or Seldon Core 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import interlock_serving
from interlock_deploy_seldon.core_v2.settings import CoreV2Settings
from interlock_deploy_seldon.mlserver.settings import MLServerSettings
from interlock_hookspecs import (
    CaptureSink,
    Deployment,
    Endpoint,
    EndpointStatus,
    Target,
    TargetFeed,
    Traffic,
    hookimpl,
    plugin,
    reveal,
    setting,
)

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace

__all__ = ["SeldonServer"]


@plugin(contract="1.0")
class SeldonServer(MLServerSettings, CoreV2Settings):
    """Seldon's servers: an MLServer behind our own router, or Seldon Core 2 on Kubernetes."""

    target: Literal["mlserver", "core-v2"] = setting(
        "mlserver", doc="what serves: an MLServer behind our router, or Seldon Core 2 on a cluster"
    )

    @property
    def hooks_left_out(self) -> tuple[str, ...]:
        """What belongs to the other target; and counts, where nobody is named who has them."""
        if self.target == "mlserver":
            return ("apply_endpoint", "remove_endpoint")
        return (
            ("serve_endpoint",) if reveal(self.prometheus) else ("serve_endpoint", "read_traffic")
        )

    @hookimpl
    def apply_endpoint(
        self,
        endpoint: Endpoint,
        id: str,  # noqa: A002  (the record's own word)
        targets: tuple[Target, ...],
        ws: Workspace,
    ) -> Deployment:
        """Apply the manifests of these targets, and wait until the cluster serves them."""
        from interlock_deploy_seldon.core_v2.applying import apply

        return apply(endpoint, id, targets, self.core_v2(), ws)

    @hookimpl
    def remove_endpoint(self, deployment: Deployment) -> None:
        """Delete the objects of an endpoint."""
        from interlock_deploy_seldon.core_v2.ending import remove

        if deployment.address:
            remove(deployment.endpoint, self.core_v2())

    @hookimpl
    def serve_endpoint(
        self, endpoint: Endpoint, feed: TargetFeed, captures: CaptureSink, ws: Workspace
    ) -> None:
        """Serve until SIGTERM or SIGINT."""
        from interlock_deploy_seldon.mlserver.serving import serve

        serve(self, endpoint, feed, captures, ws)

    @hookimpl
    def endpoint_status(self, deployment: Deployment) -> EndpointStatus:
        """Ask our server's own readiness, or the cluster."""
        if self.target == "mlserver":
            return interlock_serving.endpoint_status(self, deployment)
        from interlock_deploy_seldon.core_v2.status import status_of

        return status_of(deployment, self.core_v2())

    @hookimpl
    def read_traffic(self, deployment: Deployment) -> tuple[Traffic, ...]:
        """Ask our server for its counts, or the Prometheus that has those of Seldon's agents."""
        if self.target == "mlserver":
            return interlock_serving.read_traffic(self, deployment)
        from interlock_deploy_seldon.core_v2.counts import traffic_of

        return traffic_of(deployment, self.core_v2())
