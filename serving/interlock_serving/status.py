"""How an endpoint is, and what it was asked, by asking its server.

Standard library only, as a listing asks many.
"""

from __future__ import annotations

import http.client
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from interlock_hookspecs import Deployment, EndpointStatus, Traffic, Unavailable

_SECONDS = 2.0
_BYTES = 1024 * 1024


def ask(deployment: Deployment, certificate: Path | None = None) -> EndpointStatus:
    """The status of an endpoint; that nothing answers is one too.

    Args:
        deployment: whose address is asked.
        certificate: the server's own, where it speaks TLS.
    """
    try:
        said = _readiness(deployment, certificate)
    except Unavailable as error:
        silent = isinstance(error.__cause__, TimeoutError)
        return EndpointStatus(live=False, ready=False, silent=silent, detail=str(error))
    return EndpointStatus(
        live=True,
        ready=bool(said["ready"]),
        serving=tuple(str(release) for release in said["serving"]),
        detail=str(said["problem"]),
        grpc=str(said.get("grpc") or ""),
    )


def traffic(deployment: Deployment, certificate: Path | None = None) -> tuple[Traffic, ...]:
    """What each release of an endpoint was asked.

    Args:
        deployment: whose address is asked.
        certificate: the server's own, where it speaks TLS.

    Raises:
        Unavailable: its server does not answer.
    """
    return tuple(
        Traffic(**{**counts, "since": datetime.fromisoformat(counts["since"])})
        for counts in _readiness(deployment, certificate).get("traffic", ())
    )


def _readiness(deployment: Deployment, certificate: Path | None) -> dict[str, Any]:
    """What the server of an endpoint says of itself.

    Raises:
        Unavailable: there is none, or it is another's.
    """
    try:
        address = urlsplit(deployment.address)
        host, port = address.hostname, address.port
    except ValueError:
        raise Unavailable(f"{deployment.address} is no address") from None
    if not host:
        raise Unavailable("it has no address yet")
    try:
        connection = _connection(address.scheme, host, port, certificate)
    except OSError as error:
        detail = f"tls_certificate {certificate} cannot be read: {_reason(error)}"
        raise Unavailable(detail) from error
    try:
        connection.request("GET", "/v2/health/ready")
        said: dict[str, Any] = json.loads(connection.getresponse().read(_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        detail = f"{deployment.address} does not answer: {_reason(error)}"
        raise Unavailable(detail) from error
    finally:
        connection.close()
    if not _is_ours(said, deployment):
        raise Unavailable(f"another server answers at {deployment.address}")
    return said


def _connection(
    scheme: str, host: str, port: int | None, certificate: Path | None
) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
    if certificate is None:
        # It was started with other settings: whoever signed its certificate may be known here.
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS)
    from interlock_serving.wire.tls import client_context

    context = client_context(certificate)
    return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)


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
