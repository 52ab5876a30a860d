"""How endpoints are now, asked of the plugins that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.errors import HookFailed, PluginLoadError, StackError, UnsetError, UsageError
from interlock.lifecycle.elsewhere import host_of, is_elsewhere, is_out_of_reach
from interlock.serving import process
from interlock_hookspecs import EndpointStatus

if TYPE_CHECKING:
    from interlock.session import Session
    from interlock_hookspecs import Deployment


def status_of(session: Session, deployment: Deployment) -> EndpointStatus:
    """How an endpoint is now, asked of the plugin that made it."""
    if is_out_of_reach(deployment):
        detail = f"it is served on {host_of(deployment)}: ask there"
        return EndpointStatus(live=False, ready=False, detail=detail)
    if (
        not is_elsewhere(deployment)
        and process.is_ours(deployment)
        and not process.is_running(deployment)
    ):
        return EndpointStatus(live=False, ready=False, detail="its process has ended")
    if deployment.maker is None or not deployment.address:
        return EndpointStatus(live=False, ready=False, detail="it was never started")
    status: EndpointStatus = session.funnel.owner(
        "endpoint_status", deployment.maker, deployment=deployment
    )
    return status


def asked_status(session: Session, deployment: Deployment) -> tuple[EndpointStatus | None, str]:
    """How an endpoint is now, or None and why nobody can say: that stops no listing of others.

    Raises:
        StackError, PluginLoadError: the stack is wrong as it is written.
    """
    try:
        return status_of(session, deployment), ""
    except UnsetError as error:
        return None, str(error)
    except (StackError, PluginLoadError):
        raise
    except (UsageError, HookFailed) as error:
        return None, str(error)
