"""Deploy: the endpoint comes to serve what was released, and the champion alias follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.codec import encode
from interlock.ids import short
from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.endpoints import serve_release


def inputs(context: Context) -> Mapping[str, Any] | None:
    """None: whether the endpoint serves it is asked of the endpoint."""


def perform(context: Context) -> Result:
    """Point the endpoint at the release of this run."""
    deployment = serve_release(
        context.session, context.release.id, reason="deploy", workspace=context.workspace
    )
    return Result(
        outputs={"deployment": encode(deployment)},
        text=f"{deployment.endpoint.name} answers at {deployment.address} ({short(deployment.id)})",
    )
