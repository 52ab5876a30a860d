"""The ledger itself: opened, appended to, read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from interlock.ids import new_id
from interlock.ledger import engine as engines
from interlock.ledger.entries import Entry
from interlock.ledger.patience import Patience, is_away
from interlock.ledger.queries import Reads
from interlock.ledger.schema import ready
from interlock.ledger.statements import batch
from interlock.ledger.writing import ChainWriter, Pen
from interlock_hookspecs import Actor, Event

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

T = TypeVar("T")
Guard = Callable[[Reads], None]
_log = logging.getLogger(__name__)


class Ledger:
    """The record of any number of projects, in one database.

    Attributes:
        id: of this ledger, from its making on.
        url: where it is.
        actor: who appends where nobody else is named.
        reads: what can be asked of it.
        patience: how long a server that went away is waited for.
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
        try:
            self.id = ready(self.engine, url, create=create, migrate=_migrate)
        except BaseException:
            self.engine.dispose()
            raise
        self.reads = Reads(self._asked)
        self._observers = observers
        self._writer = engines.for_writing(self.engine)
        self._errors = (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error)
        self.pen = Pen(self.id, self.engine.dialect)
        self.patience = Patience()

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

        Times are the clock's own, even where it jumped back; order is by sequence. A server whose
        connection is lost meanwhile is asked, once it is back, whether the events are written.

        Args:
            project: whose chain.
            entries: what happened, in order.
            actor: who did it, where not the ledger's own actor.
            guard: asked after the lock is taken and before anything is written; what it raises
                ends the transaction. So a check and what is written upon it are one act.

        Raises:
            LedgerError: it cannot be written, or a payload is no plain JSON or has a value of
                another type than its column. Nothing was written then; where a server was lost in
                the commit and did not come back, nobody knows, and the error says so.
        """
        # The ids go in before the act: where a connection is lost in a commit, they tell whether
        # it went through. `sent` holds, by the last digest, what may have been written.
        named = [(entry, new_id("event")) for entry in entries]
        sent: dict[str | None, tuple[Event, ...]] = {}
        while True:
            try:
                with self._writer.connect() as connection, connection.begin() as transaction:
                    chain = ChainWriter(self.pen, connection, project, actor or self.actor)
                    written = sent.get(chain.digest_of(named[-1][1])) if sent else None
                    if written is None:
                        if guard is not None:
                            guard(Reads.of(connection))
                        with batch(connection.connection.driver_connection):
                            written = tuple(chain.append(entry, name) for entry, name in named)
                            chain.close()
                            sent.update({event.digest: written for event in written[-1:]})
                            transaction.commit()
            except self._errors as error:
                doing = "reached to ask whether the last event was written" if sent else "written"
                self._wait_or_raise(doing, error)
            else:
                break
        self.patience.answered()
        self.tell(written)
        return written

    def erase(self, event_id: str, *, reason: str, actor: Actor | None = None) -> Event:
        """Remove an event's payload for good, leaving a tombstone; see `interlock.ledger.erase`."""
        from interlock.ledger.erase import empty_journal, erase

        with self.writing() as connection:
            told = erase(connection, self.pen, event_id, reason=reason, actor=actor or self.actor)
        empty_journal(self.engine)
        self.tell((told,))
        return told

    def tell(self, written: tuple[Event, ...]) -> None:
        """Tell the observers what was written."""
        if self._observers is None:
            return
        for event in written:
            try:
                self._observers(event)
            except Exception:  # noqa: BLE001  (an observer may be anybody's code)
                # It is written, whatever an observer makes of it: the append did not fail.
                _log.exception("an observer failed on %s %s", event.kind, event.id)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; on SQLite it holds the write lock from its beginning."""
        try:
            with self._writer.begin() as connection:
                yield connection
        except self._errors as error:
            raise engines.failed(self.url, "written", error) from error

    def _asked(self, question: Callable[[Connection], T]) -> T:
        """What a question gives; it changes nothing, so it is put again where a server was lost."""
        while True:
            try:
                with self.engine.connect() as connection:
                    answer = question(connection)
            except self._errors as error:
                self._wait_or_raise("read", error)
            else:
                self.patience.answered()
                return answer

    def _wait_or_raise(self, doing: str, error: Exception) -> None:
        """Wait a little for a server that went away; of anything else there is nothing to wait."""
        if not (is_away(error) and self.patience.holds()):
            raise engines.failed(self.url, doing, error) from error


def _migrate(engine: Engine, url: URL) -> None:
    from interlock.ledger.migrate import migrate_file

    migrate_file(engine, url)
