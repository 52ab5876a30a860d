"""Removing what an event said, for the sake of a person's rights, without breaking its chain.

The header stays, with the salted digest of a payload that is no more; without the salt, which
goes too, the digest tells nothing. An event ``payload.erased`` tells who removed it and why, so
that a tombstone without one is known for tampering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text, update

from interlock.errors import LedgerError
from interlock.ledger.canonical import timestamp
from interlock.ledger.entries import Entry
from interlock.ledger.rebuild import rebuild
from interlock.ledger.tables import events, payloads
from interlock.ledger.writing import ChainWriter

if TYPE_CHECKING:
    from interlock.ledger.store import Ledger
    from interlock_hookspecs import Actor, Event


def erase(ledger: Ledger, event_id: str, *, reason: str, actor: Actor | None = None) -> Event:
    """Remove an event's payload for good, and what followed from it in other tables.

    What the event ended or revoked stays ended and revoked. What it made is gone: an erased
    release opens nothing, an erased approval counts for nothing.

    Args:
        ledger: opened.
        event_id: whose payload.
        reason: in the person's words; it stays on record.
        actor: who does it, where not the ledger's own actor.

    Returns:
        The event that tells of it.

    Raises:
        LedgerError: there is no such event, it is erased already, or it tells of an erasure.
    """
    if not reason.strip():
        raise LedgerError("an erasure needs a reason", hint='add --reason "..."')
    with ledger.writing() as connection:
        found = connection.execute(
            select(events.c.project, events.c.sequence, events.c.kind, payloads.c.erased_at)
            .outerjoin_from(events, payloads, events.c.id == payloads.c.event)
            .where(events.c.id == event_id)
        ).first()
        if found is None:
            raise LedgerError(f"there is no event {event_id}", hint="interlock audit log")
        project, sequence, kind, erased_at = found
        if erased_at is not None:
            raise LedgerError(f"the payload of {event_id} was erased at {erased_at}")
        if kind == "payload.erased":
            raise LedgerError("that event tells of an erasure: it stays")
        if connection.dialect.name == "sqlite":
            # Otherwise the bytes stay in the file's free pages.
            connection.execute(text("PRAGMA secure_delete=ON"))
        chain = ChainWriter(ledger.pen, connection, project, actor or ledger.actor)
        told = chain.append(Entry("payload.erased", event_id, {"reason": reason.strip()}))
        chain.close()
        connection.execute(
            update(payloads)
            .where(payloads.c.project == project, payloads.c.sequence == sequence)
            .values(salt=None, body=None, erased_at=timestamp(told.at), reason=reason.strip())
        )
        rebuild(connection, project)
    if ledger.engine.dialect.name == "sqlite":
        # ... and in the journal beside it.
        with ledger.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.tell((told,))
    return told
