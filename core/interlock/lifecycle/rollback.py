"""Back to the last good release of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.errors import UsageError
from interlock.lifecycle.endpoints import current_deployment, endpoint_of, serve_release
from interlock.lifecycle.releases import last_good_release
from interlock.lifecycle.rollouts import control
from interlock.lifecycle.rollouts.state import open_rollout

if TYPE_CHECKING:
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.session import Session
    from interlock_hookspecs import Deployment


def rollback(session: Session, workspace: CoreWorkspace) -> Deployment:
    """Go back to the last good release of this endpoint: `last_good_release`.

    What is being rolled out is taken out instead: the champion that it was to replace is the
    last good one.

    Raises:
        UsageError: nothing is deployed.
        GateRefused: there is no good release to go back to.
    """
    current = current_deployment(session)
    if current is None:
        msg = f"nothing is deployed at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock deployments")
    if open_rollout(session) is not None:
        control.abort(session, "interlock rollback")
        control.advance(session, workspace)
        return current_deployment(session) or current
    release_id = last_good_release(session, endpoint_of(session))
    return serve_release(session, release_id, reason="rollback", workspace=workspace)
