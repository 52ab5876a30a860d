"""Serves released models through Seldon: an MLServer behind our router, or Seldon Core 2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import attrs

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
    project_root,
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
class SeldonServer(interlock_serving.ServerSettings):
    """Seldon's servers: an MLServer behind our own router, or Seldon Core 2 on Kubernetes."""

    target: Literal["mlserver"] = setting(
        "mlserver", doc="what serves: an MLServer behind our router"
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

    @hookimpl
    def serve_endpoint(
        self, endpoint: Endpoint, feed: TargetFeed, captures: CaptureSink, ws: Workspace
    ) -> None:
        """Serve until SIGTERM or SIGINT."""
        from interlock_deploy_seldon.mlserver.serving import serve

        serve(self, endpoint, feed, captures, ws)

    @hookimpl
    def endpoint_status(self, deployment: Deployment) -> EndpointStatus:
        """Ask our server's own readiness."""
        return interlock_serving.endpoint_status(self, deployment)

    @hookimpl
    def read_traffic(self, deployment: Deployment) -> tuple[Traffic, ...]:
        """Ask our server for its counts."""
        return interlock_serving.read_traffic(self, deployment)
