"""What is asked of an MLServer: its REST API, as far as it is used here.

It answers a failure in three ways: with JSON and a 4xx where MLServer or a worker of it raises,
with a 500 and plain text where a model does, and not at all where the process is gone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from interlock_hookspecs import PluginError, Unavailable

_PROBE_SECONDS = 5.0
_NOT_READY = "is not ready yet"


class Refused(PluginError):  # noqa: N818  (read as a sentence: raise Refused)
    """MLServer answered, and with an error.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """An MLServer that is asked over connections which are kept. Safe from several threads.

    Args:
        url: says where it is now.
        answer_seconds: how long an answer may take.
        load_seconds: how long loading a model may take.

    Every method raises Unavailable where MLServer does not answer.
    """

    def __init__(self, url: Callable[[], str], answer_seconds: float, load_seconds: float) -> None:
        self._url = url
        self._answer_seconds = answer_seconds
        self._load_seconds = load_seconds
        self._idle: deque[tuple[str, http.client.HTTPConnection]] = deque(maxlen=32)

    def name(self) -> str:
        """The name that the server has in its settings."""
        said = self._json("GET", "/v2", seconds=_PROBE_SECONDS)
        return str(said.get("name", ""))

    def is_ready(self, model: str) -> bool:
        """Whether a model is loaded and answers."""
        path = f"/v2/models/{model}/ready"
        status, _ = self._exchange("GET", path, b"", _PROBE_SECONDS)
        return status == HTTPStatus.OK

    def load(self, model: str) -> None:
        """Load a model of the repository, and see that it is ready.

        Raises:
            Refused: it does not load; the message is MLServer's.
        """
        path = f"/v2/repository/models/{model}/load"
        status, content = self._exchange("POST", path, b"", self._load_seconds)
        if status != HTTPStatus.OK:
            raise Refused(_reason(status, content), status)
        if not self.is_ready(model):
            raise Refused("it was loaded and is not ready", status)

    def unload(self, model: str) -> None:
        """Unload a model; one that is not loaded is fine."""
        self._exchange("POST", f"/v2/repository/models/{model}/unload", b"", self._load_seconds)

    def infer(self, model: str, body: bytes) -> dict[str, Any]:
        """Ask a model.

        Raises:
            Refused: the model fails.
        """
        path = f"/v2/models/{model}/infer"
        status, content = self._exchange("POST", path, body, self._answer_seconds)
        if status == HTTPStatus.OK:
            return _parsed(content)
        reason = _reason(status, content)
        if status == HTTPStatus.NOT_FOUND or _NOT_READY in reason:
            raise Unavailable("MLServer has not loaded the model again yet")
        raise Refused(reason, status)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _json(self, method: str, path: str, *, seconds: float) -> dict[str, Any]:
        status, content = self._exchange(method, path, b"", seconds)
        if status != HTTPStatus.OK:
            raise Unavailable(f"MLServer: {_reason(status, content)}")
        return _parsed(content)

    def _exchange(self, method: str, path: str, body: bytes, seconds: float) -> tuple[int, bytes]:
        """One request and its answer: status and content.

        A kept connection may have been closed at the other end meanwhile: then once more on a new
        one. Every request here may be made twice.
        """
        url = self._url()
        connection = self._kept(url)
        if connection is not None:
            with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
                return self._over(connection, url, method, path, body, seconds)
        return self._over(_connection(url), url, method, path, body, seconds)

    def _over(
        self,
        connection: http.client.HTTPConnection,
        url: str,
        method: str,
        path: str,
        body: bytes,
        seconds: float,
    ) -> tuple[int, bytes]:
        fresh = connection.sock is None
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        headers = {"content-type": "application/json"} if body else {}
        prefix = urlsplit(url).path.rstrip("/")
        try:
            connection.request(method, prefix + path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (ConnectionError, http.client.BadStatusLine) as error:
            connection.close()
            if not fresh:
                raise
            raise Unavailable(f"MLServer does not answer: {_named(error)}") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"MLServer does not answer: {_named(error)}") from error
        if response.will_close:
            connection.close()
        else:
            self._idle.append((url, connection))
        return response.status, content

    def _kept(self, url: str) -> http.client.HTTPConnection | None:
        with contextlib.suppress(IndexError):
            while True:
                where, connection = self._idle.pop()
                if where == url:
                    return connection
                connection.close()
        return None


def _connection(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    if address.scheme == "https":
        return http.client.HTTPSConnection(address.hostname or "", address.port)
    return http.client.HTTPConnection(address.hostname or "", address.port)


def _parsed(content: bytes) -> dict[str, Any]:
    import orjson

    try:
        said = orjson.loads(content)
    except ValueError as error:
        raise Unavailable("what answers there is no MLServer: it sends no JSON") from error
    if not isinstance(said, dict):
        raise Unavailable("what answers there is no MLServer: it sends another JSON")
    return said


def _reason(status: int, content: bytes) -> str:
    """What an answer says that is none: a line of it, with its status."""
    try:
        said = json.loads(content)
        text = str(said.get("error") or said.get("detail") or "")
    except (ValueError, AttributeError):
        text = ""
    lines = text.strip().splitlines()
    return f"{lines[0][:300]} (status {status})" if lines else f"status {status}"


def _named(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or type(error).__name__
