"""Events on their way: to a file, or to an endpoint that may be away for a while."""

from __future__ import annotations

import contextlib
import fcntl
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import Unavailable

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent
    from openlineage.client.transport import Transport

REST = 30.0
"""Seconds that an endpoint which did not answer is left alone: a run is not to wait each time."""

_REFUSALS = (400, 413, 422)
"""What a server answers to an event that it will never take."""

# The client would say which repository the current folder is of, and a remote may hold a token.
_CONFIG = {"facets": {"source_code_location": {"disabled": True}}}


def to_file(path: Path) -> Transport:
    """Lines of JSON, appended to a file."""
    from openlineage.client.transport.file import FileConfig, FileTransport

    return FileTransport(FileConfig(log_file_path=str(path), append=True))


def to_endpoint(url: str, endpoint: str, api_key: str | None, timeout: float) -> Transport:
    """The OpenLineage API of a server, asked once for each event and not again."""
    from openlineage.client.transport.http import (
        ApiKeyTokenProvider,
        HttpConfig,
        HttpTransport,
        TokenProvider,
    )

    auth = ApiKeyTokenProvider({"apiKey": api_key}) if api_key else TokenProvider({})
    return HttpTransport(
        HttpConfig(url=url, endpoint=endpoint, timeout=timeout, auth=auth, retry={"total": 0})
    )


class Sender:
    """Sends events through the real client; what cannot be sent waits in a file.

    Args:
        make: makes the transport, when the first event comes.
        waiting: the file of events that could not be sent, which go before the next one.
    """

    def __init__(self, make: Callable[[], Transport], waiting: Path) -> None:
        self._make = make
        self._waiting = waiting
        self._client: OpenLineageClient | None = None
        self._lock = threading.Lock()
        self._away_until = 0.0

    def send(self, events: list[RunEvent]) -> None:
        """Send events, after those that wait.

        Raises:
            Unavailable: they wait, or could not even be kept.
        """
        with self._lock:
            why = self._tried(events)
        if why:
            raise Unavailable(why)

    def _tried(self, events: list[RunEvent]) -> str:
        """Why events were not sent. As a text: an error of the client may show a secret."""
        from openlineage.client.serde import Serde

        try:
            self._waiting.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._waiting) as file:
                lines = [Serde.to_json(event) for event in events]
                if time.monotonic() >= self._away_until:
                    lines, why = self._sent([*file.read().splitlines()], events)
                    file.seek(0)
                    file.truncate()
                else:
                    file.seek(0, 2)
                    # It was told a moment ago that they wait.
                    why = ""
                file.write("".join(f"{line}\n" for line in lines))
        except OSError as error:
            return f"OpenLineage events cannot be kept in {self._waiting}: {error.strerror}"
        return why and f"OpenLineage {why}"

    def _sent(self, old: list[str], events: list[RunEvent]) -> tuple[list[str], str]:
        """What could not be sent, as lines, and why."""
        from openlineage.client.serde import Serde

        todo: list[Any] = [*old, *events]
        refused = ""
        while todo:
            try:
                self._client = self._client or _client(self._make())
                _emit(self._client, todo[0])
            except Exception as error:  # noqa: BLE001  (whatever a transport raises, the event waits)
                if _status(error) not in _REFUSALS:
                    self._away_until = time.monotonic() + REST
                    lines = [
                        item if isinstance(item, str) else Serde.to_json(item) for item in todo
                    ]
                    return lines, f"{_said(error)}; events wait in {self._waiting} for the next one"
                # It would be refused for ever, and keep back those behind it.
                refused = f"{_said(error)} to an event, which is dropped"
            todo.pop(0)
        return [], refused


def _emit(client: OpenLineageClient, event: RunEvent | str) -> None:
    """Send an event; one that waited has the client's own facets already."""
    if isinstance(event, str):
        client.transport.emit(json.loads(event))
    else:
        client.emit(event)


def _client(transport: Transport) -> OpenLineageClient:
    from openlineage.client import OpenLineageClient

    return OpenLineageClient(transport=transport, config=_CONFIG)


def _said(error: Exception) -> str:
    """An error in words that hold no address and no key."""
    status = _status(error)
    return f"answered {status}" if status else f"cannot be reached ({type(error).__name__})"


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Any]:
    """A file, open to be read and written, that no other process has at the same time."""
    with path.open("a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        yield file
