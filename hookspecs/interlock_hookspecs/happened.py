"""What happened, and who did it: as the ledger keeps it and as observers hear it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs
from attrs.validators import optional

from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.values import count, is_a, named, one_of, utc


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class Actor:
    """Who did something, and how we know.

    Attributes:
        subject: the name of an account, a person or a service.
        kind: ``person`` or ``service``.
        issuer: who vouches for the name: the host, an identity provider.
        verified: how it was verified; ``unverified`` for an account's own word.

    >>> Actor(subject="ana").verified
    'unverified'
    """

    subject: str = attrs.field(validator=named)
    kind: str = attrs.field(default="person", validator=one_of("person", "service"))
    issuer: str = attrs.field(default="local", validator=named)
    verified: str = attrs.field(default="unverified", validator=named)


@attrs.frozen(kw_only=True)
class Event:
    """One entry of the ledger.

    Attributes:
        id: which event.
        project: whose chain it is in.
        sequence: its place in that chain, from 1.
        kind: what happened, for example ``release.made``.
        at: when.
        actor: who.
        subject: the id of what it happened to.
        digest: over the stored header and the digest before it.
        run: the run that it belongs to; None for what happened outside of any.
        payload: the particulars, JSON values; a read-only view.

    >>> from datetime import UTC, datetime
    >>> Event(id="event-1", project="employment", sequence=1, kind="run.started",
    ...       at=datetime(2026, 1, 1, tzinfo=UTC), actor=Actor(subject="ana"), subject="run-1",
    ...       digest="sha256:" + "0" * 64, payload={"stack": "dev"}).payload["stack"]
    'dev'
    """

    id: str = attrs.field(validator=named)
    project: str = attrs.field(validator=named)
    sequence: int = attrs.field(validator=count)
    kind: str = attrs.field(validator=named)
    at: datetime = attrs.field(converter=utc)
    actor: Actor = attrs.field(validator=is_a(Actor))
    subject: str = attrs.field(validator=named)
    digest: str = attrs.field(validator=[named, digest_field])
    run: str | None = attrs.field(default=None, validator=optional(named))
    payload: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)
