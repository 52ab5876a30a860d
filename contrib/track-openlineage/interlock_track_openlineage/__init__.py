"""Tells OpenLineage of runs and stages, and of the data and models that went in and came out."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import Event, Secret, hookimpl, plugin, project_root, reveal, setting

if TYPE_CHECKING:
    from interlock_track_openlineage.lineage import Teller
    from interlock_track_openlineage.sending import Sender

_IMPORTING = threading.Lock()
_WAITING = ".interlock/openlineage-waiting.jsonl"


@plugin(contract="1.0")
class OpenLineageTracker:
    """Writes OpenLineage run events to a file, or posts them to an endpoint."""

    file: str = setting(
        "openlineage.jsonl",
        doc="a line for each event, relative to the project's folder; not used with a url",
    )
    url: str | Secret[str] | None = setting(
        None, doc="the server of an OpenLineage API, for example http://marquez:5000"
    )
    endpoint: str = setting("api/v1/lineage", doc="the path of the API on that server")
    api_key: str | Secret[str] | None = setting(None, doc="sent as bearer token")
    timeout: float = setting(
        2.0,
        doc="seconds that the endpoint is waited for, once in half a minute while it is away",
        validator=attrs.validators.gt(0),
    )
    namespace: str = setting("interlock", doc="of jobs and datasets in OpenLineage")
    root: Path = project_root()
    _sender: Any = attrs.field(init=False, default=None, repr=False)

    @hookimpl
    def on_event(self, event: Event) -> None:
        with _IMPORTING:
            # Its modules import each other: threads that begin with different ones meet half of it.
            importlib.import_module("openlineage.client.client")
        told = list(self._teller().events(event))
        if told:
            self._sending().send(told)

    def _teller(self) -> Teller:
        from importlib import metadata

        from interlock_track_openlineage.lineage import Teller

        version = metadata.version("interlock-track-openlineage")
        producer = f"urn:interlock:track-openlineage:{version}"
        return Teller(namespace=self.namespace, producer=producer, root=self.root)

    def _sending(self) -> Sender:
        from interlock_track_openlineage.sending import Sender, to_endpoint, to_file

        if self._sender is None:
            url, key = reveal(self.url), reveal(self.api_key)
            self._sender = Sender(
                lambda: (
                    to_endpoint(url, self.endpoint, key, self.timeout)
                    if url
                    else to_file(self.root / self.file)
                ),
                self.root / _WAITING,
            )
        sender: Sender = self._sender
        return sender
