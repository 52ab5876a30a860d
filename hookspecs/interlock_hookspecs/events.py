"""Events: what happened, as the ledger keeps it and as observers hear it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs
from attrs.validators import optional

from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.rules import observe
from interlock_hookspecs.values import count, is_a, named, one_of, utc

if TYPE_CHECKING:
    from interlock_hookspecs.artifacts import Workspace


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


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


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


@observe("track", "events")
def on_event(event: Event, ws: Workspace) -> None:
    """Hear what happened, after it was written to the ledger.

    Asked: all plugins; nothing comes back, and one that fails silences no other.

    It is told by the command that wrote the event, which waits for it: an observer is quick, and
    what it raises is shown as a warning. It changes nothing of what it hears. New kinds of event
    come without a new version of the contract, so one that is unknown is passed over or passed
    on. A command that is killed between writing and telling tells nobody, and resumed it does not
    tell again: whoever must have all reads the ledger, by `Event.sequence`.

    Args:
        event: what was written.
        ws: locates the artifacts that the payload names: a card, a profile. Made only where an
            implementation asks for it.

    Raises:
        Unavailable: what it tells cannot be reached now.

    Example:
        >>> class Print:
        ...     @hookimpl
        ...     def on_event(self, event, ws):
        ...         print(event.kind)
        >>> Print().on_event.__name__
        'on_event'
    """
