"""How an endpoint is, by asking its server; standard library only, as a listing asks many."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from interlock_hookspecs import Deployment, EndpointStatus

_SECONDS = 2.0
_BYTES = 1024 * 1024


def ask(deployment: Deployment) -> EndpointStatus:
    """The status of an endpoint; that nothing answers is one too."""
    try:
        address = urlsplit(deployment.address)
        host, port = address.hostname, address.port
    except ValueError:
        detail = f"{deployment.address} is no address"
        return EndpointStatus(live=False, ready=False, detail=detail)
    if not host:
        return EndpointStatus(live=False, ready=False, detail="it has no address yet")
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/v2/health/ready")
        said = json.loads(connection.getresponse().read(_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        detail = f"{deployment.address} does not answer: {_reason(error)}"
        return EndpointStatus(live=False, ready=False, detail=detail)
    finally:
        connection.close()
    if not _is_ours(said, deployment):
        detail = f"another server answers at {deployment.address}"
        return EndpointStatus(live=False, ready=False, detail=detail)
    return EndpointStatus(
        live=True,
        ready=bool(said["ready"]),
        serving=tuple(str(release) for release in said["serving"]),
        detail=str(said["problem"]),
    )


def _is_ours(said: Any, deployment: Deployment) -> bool:
    endpoint = deployment.endpoint
    names = {"endpoint": endpoint.name, "project": endpoint.project, "stack": endpoint.stack}
    return (
        isinstance(said, dict)
        and all(said.get(key) == name for key, name in names.items())
        and isinstance(said.get("serving"), list)
        and {"ready", "problem"} <= said.keys()
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"silent for {_SECONDS:g} s"
    return getattr(error, "strerror", None) or type(error).__name__
