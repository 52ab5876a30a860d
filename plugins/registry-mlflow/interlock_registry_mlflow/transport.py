"""HTTP to an MLflow server: a deadline on every request, and a second try where it does no harm."""

from __future__ import annotations

import functools
import os
import random
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from interlock_hookspecs import InvalidInput, Secret, Unavailable, reveal

if TYPE_CHECKING:
    import requests

_AGAIN = (408, 429, 502, 503, 504)
"""Answers of a server, or of what stands before it, that may be another a moment later."""

_ERRED = 500
"""The answer to a request that the server failed in. MLflow's gives it where two requests are the
first to want a part of it that is imported then; so it is asked once more, and not again."""

_FIRST_PAUSE = 0.25
_ERRED_GROWTH = 4
"""How many times as long is waited after that: an import takes longer than a busy moment."""

_UNHEARD = "nothing listens there"
"""Why a request failed that reached nobody, and that nobody has begun to carry out."""


@attrs.frozen(eq=False, kw_only=True)
class Transport:
    """Sends requests to one server.

    Attributes:
        base: its address, without a slash at the end.
        place: what an error calls it.
        token: sent as a bearer token where it is not empty.
        username: for basic authentication, with the password.
        verify: whether TLS certificates are verified; a path names the authorities' file.
        timeout: seconds until a connection is made, and until the server says something more.
        attempts: how often a request is made that may be repeated.
    """

    base: str
    place: str
    token: str | Secret[str] = ""
    username: str | Secret[str] = ""
    password: str | Secret[str] = ""
    verify: bool | str = True
    timeout: float = 10.0
    attempts: int = 4

    def send(
        self, method: str, path: str, *, repeat: bool, file: Path | None = None, **parts: Any
    ) -> requests.Response:
        """The server's answer, whatever its status, where it gave one that is not passing.

        Args:
            method: of HTTP.
            path: below the server's address, quoted.
            repeat: whether the request may be made twice. One that never reached the server
                is made again in any case.
            file: what is in the body.
            parts: ``json``, ``params`` and ``stream`` of requests.

        Raises:
            Unavailable: no answer, or only ones that say to come back later.
            InvalidInput: the address is none of an MLflow server.
        """
        erred = False
        for attempt in range(self.attempts):
            if attempt:
                pause = _FIRST_PAUSE * max(2 ** (attempt - 1), _ERRED_GROWTH if erred else 1)
                time.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311  (jitter, no secret)
            with _opened(file) as body:
                answer, failed = self._try(method, path, {**parts, "data": body})
            if answer is None:
                if not (repeat or failed == _UNHEARD):
                    break
                continue
            last = erred or attempt + 1 == self.attempts
            if answer.status_code != _ERRED or not repeat or last:
                return answer
            answer.close()
            erred = True
        raise Unavailable(
            f"registry-mlflow: {self.place} does not answer ({failed}): start the MLflow server, "
            "or correct `uri`"
        )

    def _try(
        self, method: str, path: str, parts: dict[str, Any]
    ) -> tuple[requests.Response | None, str]:
        """An answer, or why there is none that counts."""
        from requests import exceptions

        try:
            answer = self._request(method, path, parts)
        except exceptions.SSLError as error:
            raise Unavailable(
                f"registry-mlflow: {self.place} shows a certificate that does not verify: "
                "set `ca` to the file of its authorities"
            ) from error
        except (exceptions.InvalidURL, exceptions.InvalidSchema) as error:
            raise InvalidInput(f"registry-mlflow: {self.place} is no address") from error
        except exceptions.ConnectTimeout:
            return None, _UNHEARD
        except exceptions.ConnectionError as error:
            return None, _UNHEARD if _refused(error) else "the connection broke"
        except exceptions.Timeout:
            return None, f"silent for {self.timeout:g} s"
        except exceptions.RequestException as error:
            return None, type(error).__name__
        if answer.status_code in _AGAIN:
            return None, f"{answer.status_code} {answer.reason}"
        return self._direct(answer), ""

    def _request(self, method: str, path: str, parts: dict[str, Any]) -> requests.Response:
        return _session(os.getpid()).request(
            method,
            f"{self.base}{path}",
            timeout=self.timeout,
            verify=self.verify,
            auth=self._sign,
            allow_redirects=False,
            **parts,
        )

    def _sign(self, request: Any) -> Any:
        """Credentials of the stack file; the user's .netrc has no say."""
        from requests.auth import HTTPBasicAuth

        if self.token:
            request.headers["Authorization"] = f"Bearer {reveal(self.token)}"
            return request
        if self.username:
            return HTTPBasicAuth(reveal(self.username), reveal(self.password))(request)
        return request

    def _direct(self, answer: requests.Response) -> requests.Response:
        if answer.is_redirect:
            host = urlsplit(answer.headers["location"]).hostname
            raise InvalidInput(
                f"registry-mlflow: {self.place} sends us on to {host or 'another path'}: "
                "set `uri` to where the server is"
            )
        return answer


@functools.lru_cache(maxsize=2)
def _session(_process: int) -> requests.Session:
    """One pool of connections for each process: a fork must not share its parent's."""
    import requests

    return requests.Session()


def _opened(file: Path | None) -> AbstractContextManager[Any]:
    """A body to send: of an empty file, no stream, which would go in chunks."""
    if file is None or not file.stat().st_size:
        return nullcontext(None if file is None else b"")
    return file.open("rb")


def _refused(error: Exception) -> bool:
    """Whether nobody listened, so that nothing was asked."""
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
