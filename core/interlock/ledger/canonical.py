"""The bytes that are hashed: an event's header, and its payload under a salt.

An event is sealed once and stored as it was hashed; nobody ever has to make the same bytes again.
The format of the header is version 1: a JSON object, keys sorted, no spaces.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
import orjson

from interlock_hookspecs import Actor

HEADER_VERSION = 1
PREFIX = "sha256:"
_SALT = 16
# Strict on purpose: what is not plain JSON would come back as something else.
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


@attrs.frozen(kw_only=True)
class Sealed:
    """An event's stored bytes.

    Attributes:
        header: the canonical bytes that the digest covers.
        digest: SHA-256 of the header, which holds the digest before it.
        salt: makes the payload's digest useless for guessing what was erased.
        body: the canonical bytes of the payload.
    """

    header: bytes
    digest: str
    salt: bytes
    body: bytes


def canonical(value: Any) -> bytes:
    """JSON values as bytes that depend on the values only.

    Raises:
        TypeError: a value is no plain JSON value.
        ValueError: a float is NaN or infinite.

    >>> canonical({"b": 1, "a": (None, 0.5)})
    b'{"a":[null,0.5],"b":1}'
    """
    data = orjson.dumps(value, _plain, _OPTIONS)
    # orjson writes NaN as null without a word; only where there is a null is it worth a look.
    if b"null" in data:
        _refuse_non_finite(value, "")
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no plain JSON value")


def _refuse_non_finite(value: Any, place: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place.lstrip('.')} is {value}: a number in the ledger is finite")
    elif isinstance(value, Mapping):
        for key, member in value.items():
            _refuse_non_finite(member, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for position, member in enumerate(value):
            _refuse_non_finite(member, f"{place}[{position}]")


def digest(data: bytes) -> str:
    """SHA-256, written as the contract writes digests."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def genesis(ledger: str, project: str) -> str:
    """What stands before a project's first event: it binds the chain to its place."""
    return digest(canonical({"ledger": ledger, "project": project}))


def actor_text(actor: Actor) -> str:
    """An actor as the column holds it."""
    return canonical(attrs.asdict(actor)).decode()


def timestamp(at: datetime) -> str:
    """A time as text that sorts: UTC, always with microseconds."""
    return at.isoformat(timespec="microseconds")


def seal(payload: Mapping[str, Any], header: Mapping[str, Any]) -> Sealed:
    """Make an event's bytes.

    Args:
        payload: the particulars, JSON values.
        header: everything of the header but its version and the payload's digest: project,
            sequence, id, kind, at, actor, subject, run, previous, key_id.
    """
    body = canonical(dict(payload))
    salt = os.urandom(_SALT)
    whole = {**header, "v": HEADER_VERSION, "payload": digest(salt + body)}
    stored = orjson.dumps(whole, option=_OPTIONS)
    return Sealed(header=stored, digest=digest(stored), salt=salt, body=body)
