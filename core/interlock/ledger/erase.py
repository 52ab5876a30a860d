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
from interlock.ledger.writing import ChainWriter, Pen

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from interlock_hookspecs import Actor, Event


def erase(connection: Connection, pen: Pen, event_id: str, *, reason: str, actor: Actor) -> Event:
    """Remove an event's payload for good, and what followed from it in other tables.

    What the event ended or revoked stays ended and revoked. What it made is gone: an erased
    release opens nothing, an erased approval counts for nothing.

    Args:
        connection: in a transaction that writes.
        pen: the ledger's.
        event_id: whose payload.
        reason: in the person's words; it stays on record.
        actor: who does it.

    Returns:
        The event that tells of it.

    Raises:
        LedgerError: there is no such event, it is erased already, or it tells of an erasure.
    """
    if not reason.strip():
        raise LedgerError("an erasure needs a reason", hint='add --reason "..."')
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
    chain = ChainWriter(pen, connection, project, actor)
    told = chain.append(Entry("payload.erased", event_id, {"reason": reason.strip()}))
    chain.close()
    connection.execute(
        update(payloads)
        .where(payloads.c.project == project, payloads.c.sequence == sequence)
        .values(salt=None, body=None, erased_at=timestamp(told.at), reason=reason.strip())
    )
    rebuild(connection, project)
    return told


def empty_journal(engine: Engine) -> None:
    """Take what was erased out of the journal beside a SQLite file, too."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
