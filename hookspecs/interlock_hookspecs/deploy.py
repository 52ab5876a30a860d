"""Deployment: the hooks of the one server of a stack.

Declarative: core decides about targets and weights; a plugin makes the endpoint serve exactly
these. A backend that is a server elsewhere implements ``apply_endpoint``; a server of our own
implements ``serve_endpoint``. What they are given and give stands in ``endpoints``, ``captures``
and ``traffic``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs.captures import CaptureSink
from interlock_hookspecs.endpoints import Deployment, Endpoint, EndpointStatus, Target, TargetFeed
from interlock_hookspecs.rules import one, owner
from interlock_hookspecs.traffic import Traffic

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.windows import Instant
    from interlock_hookspecs.workspace import Workspace


@one("deploy")
def apply_endpoint(
    endpoint: Endpoint,
    id: str,  # noqa: A002  (the record's own word)
    targets: tuple[Target, ...],
    ws: Workspace,
) -> Deployment:
    """Make an endpoint of a server elsewhere serve exactly these targets.

    Asked: the only plugin of the stack that implements it.

    Asked again with the same targets it changes nothing. No request fails while it changes.

    Args:
        endpoint: which endpoint.
        id: which deployment this is.
        targets: releases with their weights; weights add up to 1 over those not mirrored.
        ws: locates the models' artifacts.

    Raises:
        Unavailable: the backend cannot be reached.
        Unsupported: the backend cannot serve this format, or split, or mirror.

    Example:
        >>> class Elsewhere:
        ...     @hookimpl
        ...     def apply_endpoint(self, endpoint, id, targets, ws):
        ...         address = f"http://models.example/{endpoint.name}"
        ...         return Deployment(id=id, endpoint=endpoint, targets=targets, address=address)
        >>> endpoint = Endpoint(name="e", project="p", stack="dev")
        >>> Elsewhere().apply_endpoint(endpoint, "deployment-1", (), None).address
        'http://models.example/e'
    """


@one("deploy", instead="apply_endpoint")
def serve_endpoint(
    endpoint: Endpoint, feed: TargetFeed, captures: CaptureSink, ws: Workspace
) -> None:
    """Serve an endpoint from this process until it is told to stop.

    Asked: the only plugin of the stack that implements it.

    Core starts the process, checks every release against the ledger, opens the models and hands
    over changes; the server knows its protocol and no ledger. The call returns after SIGTERM or
    SIGINT, when the requests in flight are answered. ``feed.started`` is called once it listens.

    Args:
        endpoint: which endpoint.
        feed: what to serve, now and from then on.
        captures: where answers are recorded.
        ws: logs.

    Raises:
        Unavailable: the address is taken.

    Example:
        >>> class Once:
        ...     @hookimpl
        ...     def serve_endpoint(self, endpoint, feed, captures, ws):
        ...         feed.started("http://127.0.0.1:8080")
        >>> Once().serve_endpoint.__name__
        'serve_endpoint'
    """


@owner("deploy")
def endpoint_status(deployment: Deployment) -> EndpointStatus:
    """Say how an endpoint is now, by asking it.

    Asked: the plugin that the first argument names.

    Answers within a few seconds and does not raise because the endpoint is gone: that is a
    status too.

    Args:
        deployment: what this plugin made.

    Example:
        >>> class Gone:
        ...     @hookimpl
        ...     def endpoint_status(self, deployment):
        ...         return EndpointStatus(live=False, ready=False, detail="gone")
        >>> Gone().endpoint_status(None).live
        False
    """


@owner("deploy", required=False)
def remove_endpoint(deployment: Deployment) -> None:
    """End what ``apply_endpoint`` made. Removing what is gone already is no error.

    Asked: the plugin that the first argument names.

    A server of our own needs none: core ends the process that it started.

    Args:
        deployment: what this plugin made.

    Raises:
        Unavailable: the backend cannot be reached.

    Example:
        >>> class Elsewhere:
        ...     @hookimpl
        ...     def remove_endpoint(self, deployment):
        ...         pass
        >>> Elsewhere().remove_endpoint(None)
    """


@owner("deploy", required=False)
def read_captures(deployment: Deployment, start: Instant, end: Instant) -> pa.Table:
    """Read back what an endpoint of a server elsewhere answered.

    Asked: the plugin that the first argument names.

    For a server of our own core reads what its own sink wrote.

    Args:
        deployment: what this plugin made.
        start, end: half-open, over the time of capture.

    Returns:
        One row a prediction: ``request_id``, ``row``, ``at``, ``release``, ``mirror``, the
        features, and the predictions.

    Example:
        >>> class Nothing:
        ...     @hookimpl
        ...     def read_captures(self, deployment, start, end):
        ...         import pyarrow as pa
        ...         return pa.table({"request_id": []})
        >>> Nothing().read_captures(None, None, None).num_rows
        0
    """


@owner("deploy", required=False)
def read_traffic(deployment: Deployment) -> tuple[Traffic, ...]:
    """Say what each release behind an endpoint was asked until now, and how that went.

    Asked: the plugin that the first argument names.

    A plugin that implements it can be rolled out through: it splits requests by weight, keeps
    those of one sticky key with one release while weights stay, gives mirrors copies, and counts
    each release for itself. Answers within a few seconds.

    Args:
        deployment: what this plugin made.

    Returns:
        One count a release and mirror that the endpoint has now, in the endpoint's order.

    Raises:
        Unavailable: the endpoint does not answer.

    Example:
        >>> class Idle:
        ...     @hookimpl
        ...     def read_traffic(self, deployment):
        ...         return []
        >>> Idle().read_traffic(None)
        []
    """
