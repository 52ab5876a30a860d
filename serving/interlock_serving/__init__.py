"""A server for the Open Inference Protocol V2, on which deploy plugins stand.

A plugin inherits `ServerSettings` and hands its hooks' arguments to the functions here. What it
serves are targets whose models are open: how they score is their own matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_serving.settings import Right, ServerSettings

if TYPE_CHECKING:
    from interlock_hookspecs import (
        CaptureSink,
        Deployment,
        Endpoint,
        EndpointStatus,
        TargetFeed,
        Traffic,
        Workspace,
    )

__all__ = ["Right", "ServerSettings", "endpoint_status", "read_traffic", "serve_endpoint"]


def serve_endpoint(
    settings: ServerSettings,
    endpoint: Endpoint,
    feed: TargetFeed,
    captures: CaptureSink,
    ws: Workspace,
) -> None:
    """Serve an endpoint until SIGTERM or SIGINT, from this process or from several like it.

    Args:
        settings: of the plugin that was asked.
        endpoint: which endpoint.
        feed: what to serve, now and from then on.
        captures: where answers are recorded.
        ws: logs.

    Raises:
        InvalidInput: the settings contradict each other.
        Unavailable: the address is taken, or a file or a library is not there.
        Unsupported: several workers are wanted of a process that cannot be started again.
    """
    from interlock_hookspecs import RepeatableFeed, Unsupported
    from interlock_serving.server import EndpointServer
    from interlock_serving.workers.peers import Worker

    worker = Worker.of_this_process()
    if worker is not None or not settings.has_supervisor:
        EndpointServer(settings, endpoint, feed, captures, ws.log, worker).run()
        return
    if not isinstance(feed, RepeatableFeed):
        raise Unsupported(
            "workers are processes like this one, which cannot be started again: with python = ... "
            "or outside of core it serves with workers = 1, and without supervised"
        )
    from interlock_serving.workers.supervisor import Supervisor

    Supervisor(settings, feed, feed.command, ws.log).run()


def endpoint_status(settings: ServerSettings, deployment: Deployment) -> EndpointStatus:
    """How an endpoint is, by its server's own readiness."""
    from interlock_serving.status import ask

    return ask(deployment, settings.tls_certificate)


def read_traffic(settings: ServerSettings, deployment: Deployment) -> tuple[Traffic, ...]:
    """What each release of an endpoint was asked, by its server's own counts.

    Raises:
        Unavailable: its server does not answer.
    """
    from interlock_serving.status import traffic

    return traffic(deployment, settings.tls_certificate)
