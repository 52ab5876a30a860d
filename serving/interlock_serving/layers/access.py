"""The layer that lets callers in: by an API key, by a client's certificate, or by both.

The health paths stay open: who watches a process has no key, and they say nothing of the data.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import InvalidInput, reveal
from interlock_serving.http.asgi import ASGI, CALLER, PEER, Header, Receive, Scope, Send
from interlock_serving.http.exchange import Exchange
from interlock_serving.layers.rates import Rates

if TYPE_CHECKING:
    from interlock_serving.settings import Right, ServerSettings

OPEN = ("/v2/health/live", "/v2/health/ready")
_SHORTEST = 16
_CHALLENGE = (b"www-authenticate", b"Bearer")


@attrs.frozen
class Access:
    """Who may ask for what.

    Attributes:
        digests: SHA-256 of each key, by the key's name; empty where no key is needed.
        rights: what a key is for, by its name; one that is not in it is for everything.
        certificates: whether a client's certificate is needed.
        rates: how often each caller may ask for predictions.
    """

    digests: Mapping[str, bytes]
    rights: Mapping[str, tuple[Right, ...]]
    certificates: bool
    rates: Rates

    def key_of(self, scope: Scope) -> str | None:
        """The name of the key that a request carries, or None where it carries none of ours."""
        given = hashlib.sha256(_given(scope)).digest()
        found = None
        # Every key is compared, each in constant time: how long it takes says nothing.
        for name, digest in self.digests.items():
            if hmac.compare_digest(given, digest):
                found = name
        return found


@attrs.frozen
class Refusal:
    """Why a caller is not let in.

    Attributes:
        status: HTTP's: 401, 403 or 429.
        why: one sentence for a person.
        headers: of the answer.
        seconds: until the caller may come back, where that is why.
    """

    status: int
    why: str
    headers: tuple[Header, ...] = ()
    seconds: int = 0


def access_of(settings: ServerSettings) -> Access | None:
    """What the settings say of access; None where everybody may ask.

    Raises:
        InvalidInput: the settings contradict each other, or a key is easily guessed.
    """
    keys = {name: reveal(key) for name, key in settings.api_keys.items()}
    _check_keys(keys)
    for setting, named in (
        ("key_rights", settings.key_rights),
        ("rate_limits", settings.rate_limits),
    ):
        unknown = sorted(set(named) - set(keys))
        if unknown and (keys or setting == "key_rights"):
            raise InvalidInput(f"{setting}.{unknown[0]}: no key in api_keys is named so")
    limited = settings.rate_limit or settings.rate_limits
    certificates = settings.tls_client_ca is not None
    if not keys and not certificates:
        if limited:
            raise InvalidInput("rate_limit counts by caller: set api_keys or tls_client_ca too")
        return None
    return Access(
        digests={name: hashlib.sha256(key.encode()).digest() for name, key in keys.items()},
        rights=settings.key_rights,
        certificates=certificates,
        rates=Rates(settings.rate_limit, settings.rate_limits, time.monotonic),
    )


def admit(access: Access, scope: Scope, right: Right) -> Refusal | None:
    """Let a caller in, whose name is then in the scope; or say why not.

    Args:
        access: who may ask for what.
        scope: the request: its headers, and the name in a certificate where one was shown.
        right: what is asked for.
    """
    peer: str | None = scope.get(PEER)
    if access.certificates and peer is None:
        return Refusal(401, "this endpoint is for clients with a certificate that it knows")
    caller = peer or ""
    if access.digests:
        key = access.key_of(scope)
        if key is None:
            return Refusal(401, _no_key(scope), (_CHALLENGE,))
        rights = access.rights.get(key)
        if rights is not None and right not in rights:
            return Refusal(403, f"the key {key!r} is not for this: {_words(rights)}")
        caller = key
    scope[CALLER] = caller
    wait = access.rates.take(caller) if right == "infer" else 0.0
    if wait:
        seconds = max(1, math.ceil(wait))
        why = f"{caller!r} asks too often: try again in {seconds} s"
        return Refusal(429, why, ((b"retry-after", b"%d" % seconds),), seconds)
    return None


def gate(access: Access, behind: ASGI) -> ASGI:
    """What is behind, for those who may ask."""

    def layer(scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        if scope["path"] not in OPEN:
            refusal = admit(access, scope, _right(scope))
            if refusal is not None:
                exchange = Exchange(scope, receive, send)
                return exchange.refuse(refusal.status, refusal.why, *refusal.headers)
        return behind(scope, receive, send)

    return layer


def _check_keys(keys: Mapping[str, str]) -> None:
    for name, key in keys.items():
        if len(key) < _SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidInput(
                f"api_keys.{name} is no key: {_SHORTEST} or more printable ASCII "
                "characters without a blank; `openssl rand -hex 32` makes one"
            )
    if len(set(keys.values())) < len(keys):
        raise InvalidInput("two of api_keys are the same: each name has its own")


def _given(scope: Scope) -> bytes:
    """The key that a request carries; empty where it carries none."""
    key = b""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:]).strip()
        if name == b"x-api-key":
            key = bytes(value).strip()
    return key


def _no_key(scope: Scope) -> str:
    how = "send it as 'authorization: Bearer KEY' or 'x-api-key: KEY'"
    return f"the API key is not known here: {how}" if _given(scope) else f"no API key: {how}"


def _right(scope: Scope) -> Right:
    if scope["path"] == "/metrics":
        return "metrics"
    return "infer" if scope["method"] == "POST" else "describe"


def _words(rights: tuple[Right, ...]) -> str:
    return f"it may {' and '.join(rights)}" if rights else "it may do nothing"
