"""Deploy: the endpoint comes to serve what was released, at once or by steps of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from interlock.codec import encode
from interlock.ids import short
from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.endpoints import current_deployment, endpoint_of
from interlock.lifecycle.rollouts import control
from interlock.lifecycle.rollouts.begin import deploy_release, stay
from interlock.lifecycle.rollouts.gone_back import GoneBack, gone_back


def inputs(context: Context) -> Mapping[str, Any] | None:
    """None: whether the endpoint serves it is asked of the endpoint."""


def perform(context: Context) -> Result:
    """Point the endpoint at the release of this run, or begin to roll it out.

    A release that went back here is left where it is: nobody but a person who names it tries it
    on users again.
    """
    session = context.session
    if not context.insists:
        endpoint = endpoint_of(session)
        found = gone_back(session.ledger.reads, endpoint, context.release.id)
        if found is not None:
            return _left(context, found)
    before = current_deployment(session)
    deployed = deploy_release(session, context.release.id, workspace=context.workspace)
    deployment = deployed.deployment
    text = f"{deployment.endpoint.name} answers at {deployment.address} ({short(deployment.id)})"
    outputs = {"deployment": encode(deployment)}
    if deployed.rollout is not None:
        rollout = control.advance(session, context.workspace).rollout
        # At once where it is surely bad, or where its first step had nothing to wait for.
        on_its_way = rollout.status == "open"
        now = (
            f"rolling out, {rollout.text}" if on_its_way else f"{rollout.status}: {rollout.reason}"
        )
        text = f"{text}; {now}"
        outputs["rollout"] = {
            "id": rollout.id,
            "status": rollout.status,
            "phase": rollout.phase,
            "reason": rollout.reason,
        }
    anew = "rollout" in outputs or before is None or encode(before) != outputs["deployment"]
    return Result(outputs=outputs, text=text, anew=anew)


def _left(context: Context, found: GoneBack) -> Result:
    deployment = stay(context.session, context.workspace)
    return Result(
        outputs={
            "gone_back": attrs.asdict(found),
            **({"deployment": encode(deployment)} if deployment else {}),
        },
        text=f"nothing: {short(found.release)} went back here already",
        anew=False,
    )
