"""What stands before the application, by the settings; what is not set is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_deploy_local.access import access_of, gate
from interlock_deploy_local.asgi import ASGI
from interlock_deploy_local.pages import pages

if TYPE_CHECKING:
    from interlock_deploy_local import LocalServer
    from interlock_deploy_local.app import App


def layered(settings: LocalServer, app: App) -> ASGI:
    """The application behind its layers, the outermost first.

    Raises:
        InvalidInput: the settings contradict each other.
    """
    access = access_of(settings)
    outermost = pages(app, keys=bool(settings.api_keys))
    if access is not None:
        outermost = gate(access, outermost)
    return outermost
