"""Back to the last good release of an endpoint."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from interlock.errors import InterlockError, LedgerError, UsageError
from interlock.lifecycle.endpoints import current_deployment, endpoint_of, serve_release
from interlock.lifecycle.releases import last_good_release
from interlock.lifecycle.rollouts import control
from interlock.lifecycle.rollouts.state import open_rollout
from interlock.serving import process, standby

if TYPE_CHECKING:
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.session import Session
    from interlock_hookspecs import Deployment, EndpointStatus, Release

_PATIENCE = 60.0
_POLL_SECONDS = 0.05


def rollback(session: Session, workspace: CoreWorkspace) -> Deployment:
    """Go back to the last good release of this endpoint: `last_good_release`.

    What is being rolled out is taken out instead: the champion that it was to replace is the
    last good one.

    Raises:
        UsageError: nothing is deployed.
        LedgerError: it is not the one of the server that runs here.
        GateRefused: there is no good release to go back to.
    """
    current = current_deployment(session)
    if current is None and (found := _served_here(session)):
        msg = f"the ledger has no {found.id}, which is served here: it is another, or an older copy"
        raise LedgerError(msg)
    if current is None:
        msg = f"nothing is deployed at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock deployments")
    if open_rollout(session) is not None:
        control.abort(session, "interlock rollback")
        control.advance(session, workspace)
        return current_deployment(session) or current
    release_id = last_good_release(session, endpoint_of(session))
    return serve_release(session, release_id, reason="rollback", workspace=workspace)


def _served_here(session: Session) -> Deployment | None:
    """What a server of this endpoint on this machine says that it serves; None without one."""
    noted = (note.deployment for note in standby.notes(session, process.folder(session)))
    return next(filter(process.is_running, noted), None)


def rollback_without_ledger(session: Session) -> Release:
    """Let the server of this endpoint go back by itself, where the ledger cannot be reached.

    It goes to the release that it verified while the ledger was there, within the policy's
    ``offline_grace``, and records it when the ledger is back.

    Raises:
        InterlockError: no server of ours on this machine can, or it did not.
    """
    home = process.folder(session)
    note = next(standby.notes(session, home), None)
    if note is None or note.deployment.maker is None:
        msg = f"no server of {session.stack.endpoint} here has a release to go back to"
        raise InterlockError(msg, hint="bring the ledger back, then interlock rollback")
    standby.give_order(home, note, session.actor)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        status: EndpointStatus = session.funnel.owner(
            "endpoint_status", note.deployment.maker, deployment=note.deployment
        )
        if status.ready and status.serving == (note.release.id,):
            return note.release
        time.sleep(_POLL_SECONDS)
    standby.drop_order(home, note.deployment.id)
    msg = f"{note.deployment.address} did not go back: {status.detail or 'it serves on'}"
    raise InterlockError(msg, hint="the policy's offline_grace may be over")
