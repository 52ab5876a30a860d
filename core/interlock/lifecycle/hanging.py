"""A server of ours that lives and answers nobody: it hears no signal but the one that kills."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from interlock.errors import InterlockError
from interlock.serving import process
from interlock_hookspecs import Deployment, EndpointStatus

if TYPE_CHECKING:
    from interlock.session import Session

SILENT_SECONDS = 15.0
"""After which time without an answer a server hangs: far longer than it works on anything."""
_POLL_SECONDS = 0.2


def end_hanging(session: Session, deployment: Deployment) -> str:
    """End the server of a deployment where it hangs.

    Returns:
        What was done, for the record; empty where it answers, or where there is none.

    Raises:
        InterlockError: it cannot be ended.
    """
    if not _hangs(session, deployment):
        return ""
    pid = process.identity(deployment).pid
    process.kill(deployment)
    said = f"process {pid} did not answer for {SILENT_SECONDS:g} s and was killed"
    session.reporter.warn(f"{deployment.endpoint.name}: {said}")
    return said


def _hangs(session: Session, deployment: Deployment) -> bool:
    """Whether it takes connections and answers none, for as long as nothing else explains."""
    deadline = time.monotonic() + SILENT_SECONDS
    while process.is_running(deployment) and _is_silent(session, deployment):
        if time.monotonic() >= deadline:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _is_silent(session: Session, deployment: Deployment) -> bool:
    if deployment.maker is None or not deployment.address:
        return False
    try:
        status: EndpointStatus = session.funnel.owner(
            "endpoint_status", deployment.maker, deployment=deployment
        )
    except InterlockError:
        return False  # whoever made it is not there to be asked: nobody knows
    return status.silent
