"""Writing to a chain: the next event, its payload, and what follows from it, in one transaction."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import BigInteger, bindparam, func, insert, select, update

from interlock.errors import LedgerError
from interlock.ids import new_id
from interlock.ledger.canonical import actor_text, genesis, seal, timestamp
from interlock.ledger.projections import Happened, reduce
from interlock.ledger.statements import Statements, TableWriter, batch, run
from interlock.ledger.tables import events, heads, payloads
from interlock_hookspecs import Actor, Event

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect

    from interlock.ledger.entries import Entry


class Pen:
    """The statements that write to a chain, compiled once for a ledger.

    Args:
        ledger: its id.
        dialect: of its database.
    """

    def __init__(self, ledger: str, dialect: Dialect) -> None:
        self.ledger = ledger
        self.projections = Statements(dialect)
        here = heads.c.project == bindparam("wanted")
        head = select(heads.c.sequence, heads.c.digest).where(here)
        # SQLite's BEGIN IMMEDIATE has locked the whole file already.
        locked = head if dialect.name == "sqlite" else head.with_for_update()
        moved = (
            update(heads)
            .where(here)
            .values(sequence=bindparam("sequence"), digest=bindparam("digest"))
        )
        compile_ = self.projections.compile
        self.first_head = compile_(_insert_once(dialect.name))
        # A server's clients queue for a chain here, in order. They would queue for the row of its
        # head, too, but each change of that row sends all who wait for it in search of the new one.
        self.turn = None if dialect.name == "sqlite" else compile_(_wait_for_turn())
        self.head = compile_(locked)
        self.move_head = compile_(moved)
        self.event = compile_(insert(events))
        self.digest = compile_(select(events.c.digest).where(events.c.id == bindparam("wanted")))
        self.payload = compile_(insert(payloads))


class ChainWriter:
    """The end of a project's chain, locked until the transaction of the connection ends."""

    def __init__(self, pen: Pen, connection: Connection, project: str, actor: Actor) -> None:
        self._pen = pen
        self._cursor: Any = connection.connection.cursor()
        self._driver: Any = connection.connection.driver_connection
        self._project = project
        self._actor = actor
        self._actor_text = actor_text(actor)
        self._tables = TableWriter(pen.projections, self._cursor, project)
        self._sequence, self._digest = self._lock()

    def _lock(self) -> tuple[int, str]:
        pen, cursor = self._pen, self._cursor
        with batch(self._driver):
            if pen.turn is not None:
                # On a cursor of its own: in a batch, one tells the last of its answers only.
                run(self._driver.cursor(), pen.turn, {"turn": _turn_of(self._project)})
            run(cursor, pen.head, {"wanted": self._project})
            found = cursor.fetchone()
        if found is None:
            # A project's first event. Where two come at once, the second waits here, then reads
            # what the first wrote.
            first = genesis(pen.ledger, self._project)
            values = {"project": self._project, "sequence": 0, "digest": first}
            run(cursor, pen.first_head, values)
            run(cursor, pen.head, {"wanted": self._project})
            found = cursor.fetchone()
        return found[0], found[1]

    def digest_of(self, identifier: str) -> str | None:
        """The digest of an event that is written, or None.

        The chain is locked, so no transaction that may write it is still under way.
        """
        run(self._cursor, self._pen.digest, {"wanted": identifier})
        found = self._cursor.fetchone()
        return None if found is None else str(found[0])

    def append(self, entry: Entry, identifier: str | None = None) -> Event:
        """Write the next event.

        Args:
            entry: what happened.
            identifier: of the event; a new one where none is given.

        Raises:
            LedgerError: its payload is no plain JSON, or a value has another type than its column.
                The transaction must end without a commit then.
        """
        pen, cursor = self._pen, self._cursor
        at, sequence = datetime.now(UTC), self._sequence + 1
        identifier = identifier or new_id("event")
        header: dict[str, Any] = {
            "project": self._project,
            "sequence": sequence,
            "id": identifier,
            "kind": entry.kind,
            "at": timestamp(at),
            "subject": entry.subject,
            "run": _run_of(entry),
            "key_id": None,
        }
        hashed = {
            **header,
            "actor": orjson.Fragment(self._actor_text),
            "previous": self._digest,
        }
        try:
            sealed = seal(entry.payload, hashed)
        except (TypeError, ValueError) as error:
            raise _unwritable(entry, error) from error
        header |= {"actor": self._actor_text, "header": sealed.header, "signature": None}
        run(cursor, pen.event, {**header, "digest": sealed.digest})
        stored = {"event": identifier, "salt": sealed.salt, "body": sealed.body}
        place = {"project": self._project, "sequence": sequence}
        run(cursor, pen.payload, {**place, **stored, "erased_at": None, "reason": None})
        # Reduced as it was stored, so that a replay sees what this saw.
        payload = orjson.loads(sealed.body)
        happened = Happened(
            kind=entry.kind,
            at=header["at"],
            actor=self._actor.subject,
            subject=entry.subject,
            run=header["run"],
            payload=payload,
        )
        self._tables.sequence = sequence
        try:
            reduce(happened, self._tables)
        except TypeError as error:
            raise _unwritable(entry, error) from error
        self._sequence, self._digest = sequence, sealed.digest
        return Event(
            id=identifier,
            project=self._project,
            sequence=sequence,
            kind=entry.kind,
            at=at,
            actor=self._actor,
            subject=entry.subject,
            digest=sealed.digest,
            run=header["run"],
            payload=payload,
        )

    def close(self) -> None:
        """Move the head to the last event that was written."""
        values = {"wanted": self._project, "sequence": self._sequence, "digest": self._digest}
        run(self._cursor, self._pen.move_head, values)
        self._cursor.close()


def _wait_for_turn() -> Any:
    return select(func.pg_advisory_xact_lock(bindparam("turn", type_=BigInteger)))


def _turn_of(project: str) -> int:
    """What stands for a project's chain among a database's advisory locks."""
    seed = hashlib.sha256(f"interlock chain {project}".encode()).digest()
    return int.from_bytes(seed[:8], "big", signed=True)


def _unwritable(entry: Entry, error: Exception) -> LedgerError:
    return LedgerError(f"an event {entry.kind} cannot be written: {error}")


def _run_of(entry: Entry) -> str | None:
    said = entry.payload.get("run")
    if entry.run or isinstance(said, str):
        return entry.run or said
    return entry.subject if entry.kind.startswith("run.") else None


def _insert_once(dialect: str) -> Any:
    if dialect == "sqlite":
        return insert(heads)
    from sqlalchemy.dialects.postgresql import insert as insert_or

    return insert_or(heads).on_conflict_do_nothing()
