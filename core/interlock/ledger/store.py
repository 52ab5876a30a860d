"""The ledger itself: opened, appended to, read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

import orjson
from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from interlock.errors import LedgerError
from interlock.ids import new_id
from interlock.ledger import engine as engines
from interlock.ledger.canonical import actor_text, genesis, seal, timestamp
from interlock.ledger.projections import Happened, changes
from interlock.ledger.queries import Reads
from interlock.ledger.schema import ready
from interlock.ledger.statements import Statements, run
from interlock.ledger.tables import events, heads, payloads
from interlock.ledger.values import Entry
from interlock_hookspecs import Actor, Event

Guard = Callable[[Reads], None]
_log = logging.getLogger(__name__)


class Ledger:
    """The record of any number of projects, in one database.

    Attributes:
        id: of this ledger, from its making on.
        url: where it is.
        actor: who appends where nobody else is named.
        reads: what can be asked of it.
    """

    def __init__(
        self,
        url: URL,
        *,
        actor: Actor,
        observers: Callable[[Event], None] | None = None,
        create: bool = True,
    ) -> None:
        self.url = url
        self.actor = actor
        self.engine = engines.connect(url)
        self.id = ready(self.engine, url, create=create)
        self.reads = Reads(self._reading)
        self._observers = observers
        self._writer = engines.for_writing(self.engine)
        self._errors = (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error)
        self.statements = Statements(self.engine.dialect)
        self._head = self.statements.compile(_lock_head(self.engine.dialect.name))
        self._insert_event = self.statements.compile(insert(events))
        self._insert_payload = self.statements.compile(insert(payloads))
        self._move_head = self.statements.compile(_move_head())
        self._first_head = self.statements.compile(insert(heads))

    @classmethod
    def open(
        cls,
        url: str,
        *,
        actor: Actor,
        observers: Callable[[Event], None] | None = None,
        create: bool = True,
    ) -> Self:
        """Open a ledger; make it where there is none.

        A SQLite file of an older version is copied, then migrated. A PostgreSQL database is
        never migrated by opening it.

        Args:
            url: a SQLAlchemy URL, a SQLite path in it absolute.
            actor: who appends where nobody else is named.
            observers: told of each event after it was committed; one that raises is logged.
            create: whether to make a ledger where there is none.

        Raises:
            LedgerError: it cannot be reached, is no ledger, or is of another version.
        """
        return cls(engines.parse_url(url), actor=actor, observers=observers, create=create)

    @property
    def place(self) -> str:
        """Where it is, without anything secret."""
        return engines.place(self.url)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(
        self,
        project: str,
        kind: str,
        subject: str,
        payload: Mapping[str, Any],
        *,
        run: str | None = None,
        actor: Actor | None = None,
        guard: Guard | None = None,
    ) -> Event:
        """Write one event; see `append_all`."""
        entry = Entry(kind, subject, payload, run)
        return self.append_all(project, [entry], actor=actor, guard=guard)[0]

    def append_all(
        self,
        project: str,
        entries: Sequence[Entry],
        *,
        actor: Actor | None = None,
        guard: Guard | None = None,
    ) -> tuple[Event, ...]:
        """Write events and what follows from them in one transaction, then tell the observers.

        Times are the clock's own, even where it jumped back; order is by sequence.

        Args:
            project: whose chain.
            entries: what happened, in order.
            actor: who did it, where not the ledger's own actor.
            guard: asked after the lock is taken and before anything is written; what it raises
                ends the transaction. So a check and what is written upon it are one act.

        Raises:
            LedgerError: it cannot be written, or a payload is no plain JSON or has a value of
                another type than its column. Nothing was written then.
        """
        with self.writing() as connection:
            chain = Chain(self, connection, project, actor or self.actor)
            if guard is not None:
                guard(Reads.of(connection))
            written = tuple(chain.append(entry) for entry in entries)
            chain.close()
        self.tell(written)
        return written

    def erase(self, event_id: str, *, reason: str, actor: Actor | None = None) -> Event:
        """Remove an event's payload for good, leaving a tombstone; see `interlock.ledger.erase`."""
        from interlock.ledger.erase import erase

        return erase(self, event_id, reason=reason, actor=actor)

    def tell(self, written: tuple[Event, ...]) -> None:
        """Tell the observers what was written."""
        if self._observers is None:
            return
        for event in written:
            try:
                self._observers(event)
            except Exception:
                # It is written, whatever an observer makes of it: the append did not fail.
                _log.exception("an observer failed on %s %s", event.kind, event.id)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock (SQLite) or will take a project's (PostgreSQL)."""
        try:
            with self._writer.begin() as connection:
                yield connection
        except self._errors as error:
            raise engines.failed(self.url, "written", error) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except self._errors as error:
            raise engines.failed(self.url, "read", error) from error


class Chain:
    """A project's chain within a write transaction, its head locked."""

    def __init__(self, ledger: Ledger, connection: Connection, project: str, actor: Actor) -> None:
        self._ledger = ledger
        self._cursor = connection.connection.cursor()
        self._project = project
        self._actor = actor
        self._actor_text = actor_text(actor)
        self._sequence, self._digest = self._lock()

    def _lock(self) -> tuple[int, str]:
        ledger, cursor = self._ledger, self._cursor
        run(cursor, ledger._head, {"project_1": self._project})  # noqa: SLF001  (the two halves of one act)
        found = cursor.fetchone()
        if found is None:
            first = genesis(ledger.id, self._project)
            values = {"project": self._project, "sequence": 0, "digest": first}
            run(cursor, ledger._first_head, values)  # noqa: SLF001
            return 0, first
        return int(found[0]), str(found[1])

    def append(self, entry: Entry) -> Event:
        """Write the next event, its payload, and what follows from it."""
        ledger, cursor = self._ledger, self._cursor
        at = datetime.now(UTC)
        said_run = entry.payload.get("run")
        run_id = entry.run or (said_run if isinstance(said_run, str) else None)
        header = {
            "project": self._project,
            "sequence": self._sequence + 1,
            "id": new_id("event"),
            "kind": entry.kind,
            "at": timestamp(at),
            "actor": orjson.Fragment(self._actor_text),
            "subject": entry.subject,
            "run": run_id,
            "previous": self._digest,
            "key_id": None,
        }
        try:
            sealed = seal(entry.payload, header)
            # Reduced as it was stored, so that a replay sees what this saw.
            payload = orjson.loads(sealed.body)
            happened = Happened(
                entry.kind, header["at"], self._actor.subject, entry.subject, run_id, payload
            )
            made = changes(happened)
        except (TypeError, ValueError) as error:
            raise LedgerError(f"an event {entry.kind} cannot be written: {error}") from error
        row = {
            **header,
            "actor": self._actor_text,
            "header": sealed.header,
            "digest": sealed.digest,
            "signature": None,
        }
        run(cursor, ledger._insert_event, row)  # noqa: SLF001
        stored = {
            "project": self._project,
            "sequence": header["sequence"],
            "event": header["id"],
            "salt": sealed.salt,
            "body": sealed.body,
            "erased_at": None,
            "reason": None,
        }
        run(cursor, ledger._insert_payload, stored)  # noqa: SLF001
        self._sequence, self._digest = header["sequence"], sealed.digest
        for change in made:
            ledger.statements.apply(cursor, self._project, self._sequence, change)
        return Event(
            id=header["id"],
            project=self._project,
            sequence=self._sequence,
            kind=entry.kind,
            at=at,
            actor=self._actor,
            subject=entry.subject,
            digest=sealed.digest,
            payload=payload,
        )

    def close(self) -> None:
        """Move the head to the last event."""
        values = {
            "project_1": self._project,
            "sequence": self._sequence,
            "digest": self._digest,
        }
        run(self._cursor, self._ledger._move_head, values)  # noqa: SLF001
        self._cursor.close()


def _lock_head(dialect: str) -> Any:
    found = select(heads.c.sequence, heads.c.digest).where(heads.c.project == bindparam("project_1"))
    # SQLite's BEGIN IMMEDIATE has locked the file already.
    return found if dialect == "sqlite" else found.with_for_update()


def _move_head() -> Any:
    return (
        update(heads)
        .where(heads.c.project == bindparam("project_1"))
        .values(sequence=bindparam("sequence"), digest=bindparam("digest"))
    )
