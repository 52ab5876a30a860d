"""What stands before the application, by the settings; what is not set is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs

from interlock_serving.http.asgi import ASGI
from interlock_serving.layers.pages import pages
from interlock_serving.wire.direct import Direct

if TYPE_CHECKING:
    from interlock_serving.app import App
    from interlock_serving.layers.access import Access
    from interlock_serving.layers.observe import Observer
    from interlock_serving.settings import ServerSettings
    from interlock_serving.workers.peers import Peers


@attrs.frozen
class Layered:
    """An application behind its layers.

    Attributes:
        application: the outermost layer.
        access: who may ask; None where everybody may.
        observers: told of each answer.
        direct: the same for requests that need no coroutine.
        close: to be called once it is asked no more.
    """

    application: ASGI
    access: Access | None
    observers: Sequence[Observer]
    direct: Direct
    close: Callable[[], None]


def layered(settings: ServerSettings, app: App, peers: Peers) -> Layered:
    """The application behind its layers: watched, then locked, then described.

    Args:
        settings: of the plugin.
        app: what answers.
        peers: what other workers of the endpoint say.

    Raises:
        InvalidInput: the settings contradict each other.
        Unavailable: a library or a file is not there.
    """
    access = _access(settings)
    application = pages(app, keys=bool(settings.api_keys))
    observers: list[Observer] = []
    close: Callable[[], None] = _nothing
    if settings.metrics:
        from interlock_serving.layers.metrics import Counts, metrics, snapshot

        counts = Counts()
        observers.append(counts.add)
        peers.counted = lambda: snapshot(app, counts)
        application = metrics(
            app.endpoint.name, peers.metrics, application, alone=not settings.has_supervisor
        )
    if settings.access_log is not None:
        from interlock_serving.layers.access_log import access_log

        observers.append(access_log(settings.access_log, app.log))
    if settings.traces:
        from interlock_serving.layers.spans import spans

        observer, close = spans(settings.traces, app.endpoint)
        observers.append(observer)
    if access is not None:
        from interlock_serving.layers.access import gate

        application = gate(access, application)
    watch = None
    if observers:
        from interlock_serving.layers.observe import Watch, observed

        application = observed(application, observers)
        watch = partial(Watch, observers)
    return Layered(application, access, observers, Direct(app, access, watch), close)


def _access(settings: ServerSettings) -> Access | None:
    """Who may ask, where the settings say anything of that; None where everybody may."""
    said = settings
    if not any(
        (said.api_keys, said.key_rights, said.rate_limit, said.rate_limits, said.tls_client_ca)
    ):
        return None
    from interlock_serving.layers.access import access_of

    return access_of(settings)


def _nothing() -> None:
    pass
