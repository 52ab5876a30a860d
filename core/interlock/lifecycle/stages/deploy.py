"""Deploy: the endpoint comes to serve what was released, at once or by steps of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.codec import encode
from interlock.ids import short
from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.rollouts import control
from interlock.lifecycle.rollouts.begin import deploy_release


def inputs(context: Context) -> Mapping[str, Any] | None:
    """None: whether the endpoint serves it is asked of the endpoint."""


def perform(context: Context) -> Result:
    """Point the endpoint at the release of this run, or begin to roll it out."""
    session = context.session
    deployed = deploy_release(session, context.release.id, workspace=context.workspace)
    deployment = deployed.deployment
    text = f"{deployment.endpoint.name} answers at {deployment.address} ({short(deployment.id)})"
    outputs = {"deployment": encode(deployment)}
    if deployed.rollout is not None:
        rollout = control.advance(session, context.workspace).rollout
        text = f"{text}; rolling out, {rollout.text}"
        outputs["rollout"] = {"id": rollout.id}
    return Result(outputs=outputs, text=text)
