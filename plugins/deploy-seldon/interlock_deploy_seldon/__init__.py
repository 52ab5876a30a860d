"""Serves released models through Seldon: an MLServer behind our router, or Seldon Core 2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import attrs

import interlock_serving
from interlock_deploy_seldon.core_v2.settings import CoreV2Settings
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
    project_root,
    reveal,
    setting,
)

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace

__all__ = ["SeldonServer"]


def _url(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        address = urlsplit(value)
        fits = not value or (address.scheme in ("http", "https") and bool(address.hostname))
        fits = fits and (address.port is None or not value.endswith(":"))
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f'{attribute.name}: expected an address like "http://127.0.0.1:8080"')


@plugin(contract="1.0")
class SeldonServer(interlock_serving.ServerSettings, CoreV2Settings):
    """Seldon's servers: an MLServer behind our own router, or Seldon Core 2 on Kubernetes."""

    target: Literal["mlserver", "core-v2"] = setting(
        "mlserver", doc="what serves: an MLServer behind our router, or Seldon Core 2 on a cluster"
    )
    mlserver: str = setting(
        "mlserver",
        doc="the MLServer to start: a command on PATH, or a path from the project's folder",
    )
    parallel_workers: int = setting(
        0,
        doc="processes in which MLServer scores; 0 for its own",
        validator=attrs.validators.ge(0),
    )
    python_path: tuple[Path, ...] = setting(
        (), doc="folders where MLServer's Python finds modules, for estimators of your own"
    )
    inherit: tuple[str, ...] = setting(
        (), doc="names of variables of Interlock's environment that MLServer gets too"
    )
    start_seconds: float = setting(
        60.0, doc="seconds for MLServer to start", validator=attrs.validators.gt(0)
    )
    load_seconds: float = setting(
        60.0, doc="seconds for MLServer to load a model", validator=attrs.validators.gt(0)
    )
    url: str = setting(
        "", doc="address of an MLServer that runs already, to join instead", validator=_url
    )
    repository: Path | None = setting(
        None, doc="with url: the folder of that MLServer's models, which is written to"
    )
    root: Path = project_root()

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
