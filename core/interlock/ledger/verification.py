"""Is the ledger what was recorded: every event, and everything that follows from them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, func, literal_column, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from interlock.ledger.canonical import genesis
from interlock.ledger.checkpoint import Checkpoint, Head, read_checkpoint
from interlock.ledger.links import Chain, Tombstone
from interlock.ledger.projections import Happened
from interlock.ledger.replay import Replay
from interlock.ledger.reports import Problem, Report
from interlock.ledger.stream import EVENT_COLUMNS, chain
from interlock.ledger.tables import events, heads, meta, metadata, payloads

if TYPE_CHECKING:
    from sqlalchemy import CompoundSelect, Connection

    from interlock.ledger.store import Ledger

Progress = Callable[[int, int], None]
_DIGEST = EVENT_COLUMNS.index("events.digest")
_SHOWN = 100
_LIMIT = 20


def verify(
    ledger: Ledger,
    project: str | None = None,
    progress: Progress | None = None,
    *,
    checkpoint: Checkpoint | None = None,
) -> Report:
    """Replay the events of a ledger and hold every table against them.

    Checked are each event's digest, its place in the chain, the columns against the header, the
    payload against its salted digest, the heads against the last events, and each row of each
    projection both ways: none missing, none more, none different. Within one read transaction,
    so that writers may go on.

    Args:
        ledger: opened.
        project: which chain alone; None for all, and rows of projects that have no chain.
        progress: told of the events done, and of all.
        checkpoint: kept outside; the ledger must extend it.

    Raises:
        LedgerError: the database cannot be read at all.
    """
    verification = _Verification(ledger, checkpoint)
    driver_error = ledger.engine.dialect.loaded_dbapi.Error
    try:
        return verification.run(project, progress)
    except (SQLAlchemyError, driver_error) as error:
        if "decode" not in str(error):
            return verification.unreadable(error)
    # Some text holds bytes that are none. That is a finding, and it has a place: read them all.
    verification = _Verification(ledger, checkpoint, text_factory=_tolerant)
    try:
        return verification.run(project, progress)
    except (SQLAlchemyError, driver_error) as error:
        return verification.unreadable(error)


def verify_checkpoint(ledger: Ledger, path: Path, public_key: Path | bytes | None = None) -> Report:
    """Verify a ledger whole, and that it extends the checkpoint in a file.

    Args:
        ledger: opened.
        path: of the checkpoint.
        public_key: Ed25519 in PEM, or its file; with one, an unsigned checkpoint is refused.

    Raises:
        Tampered: the checkpoint's signature is missing or wrong.
        LedgerError: the file is no checkpoint.
    """
    return verify(ledger, checkpoint=read_checkpoint(path, public_key))


class _Full(Exception):  # noqa: N818  (a signal: enough was found)
    """As many problems as anybody reads."""


class _Verification:
    def __init__(
        self,
        ledger: Ledger,
        checkpoint: Checkpoint | None,
        text_factory: Callable[[bytes], str | bytes] | None = None,
    ) -> None:
        self._ledger = ledger
        self._text_factory = text_factory
        self._checkpoint = checkpoint
        self._problems: list[Problem] = []
        self._projects: list[str] = []
        self._erased: list[str] = []
        self._events = 0
        self._more = False
        self._project = ""

    def run(self, project: str | None, progress: Progress | None) -> Report:
        engine = self._ledger.engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as connection, connection.begin():
            driver: Any = connection.connection.dbapi_connection
            if self._text_factory is not None:
                driver.text_factory = self._text_factory
            try:
                self._verify(connection, project, progress)
            except _Full:
                self._more = True
            finally:
                if self._text_factory is not None:
                    driver.text_factory = str
        return self.report()

    def report(self) -> Report:
        checkpoint = self._checkpoint
        found = sorted(
            self._problems,
            key=lambda problem: (
                problem.project,
                problem.sequence is None,
                problem.sequence or 0,
                problem.table not in ("events", "payloads"),
            ),
        )
        return Report(
            ledger=self._ledger.id,
            projects=tuple(self._projects),
            events=self._events,
            erased=tuple(self._erased),
            problems=tuple(found),
            more=self._more,
            anchored=checkpoint is not None,
            signed=checkpoint is not None and checkpoint.verified,
        )

    def unreadable(self, error: Exception) -> Report:
        """The report where the database itself gave up."""
        said = str(getattr(error, "orig", None) or error).partition("\n")[0]
        self._problems.append(
            Problem(
                project=self._project,
                sequence=None,
                table="the database",
                key="file",
                column="",
                found=said,
                expected="readable rows",
            )
        )
        return self.report()

    def _wrong(
        self, sequence: int | None, table: str, key: str, column: str, found: Any, expected: Any
    ) -> None:
        self._problems.append(
            Problem(
                project=self._project,
                sequence=sequence,
                table=table,
                key=key,
                column=column,
                found=_shown(found),
                expected=_shown(expected),
            )
        )
        if len(self._problems) >= _LIMIT:
            raise _Full

    def _verify(
        self, connection: Connection, project: str | None, progress: Progress | None
    ) -> None:
        ids = [row[0] for row in connection.execute(select(meta.c.id))]
        if ids != [self._ledger.id]:
            self._wrong(None, "meta", "id", "id", ids, [self._ledger.id])
        checkpoint = self._checkpoint
        if checkpoint is not None and checkpoint.ledger != self._ledger.id:
            self._wrong(None, "checkpoint", "ledger", "", self._ledger.id, checkpoint.ledger)
        total = _count(connection, events, project)
        named = _projects(connection, checkpoint) if project is None else {project: "events"}
        for one, table in named.items():
            if not isinstance(one, str):
                self._wrong(None, table, "?", "project", one, "a text")
                continue
            self._project = one
            self._projects.append(one)
            self._chain(connection, one, lambda: progress and progress(self._events, total))

    def _chain(self, connection: Connection, project: str, step: Callable[[], Any]) -> None:
        erased = _tombstones(connection, project)
        links = Chain(project, genesis(self._ledger.id, project), erased)
        anchor = self._checkpoint.heads.get(project) if self._checkpoint else None
        replay = Replay(connection, project, self._wrong)
        for batch in chain(connection, project):
            self._events += len(batch)
            rows = batch
            while rows:
                before, happened = links.sequence, links.take(rows)
                replay.apply(rows, happened)
                if anchor and before < anchor.sequence <= links.sequence:
                    self._held(anchor, rows[anchor.sequence - before - 1][_DIGEST])
                rows = rows[len(happened) :]
                if rows:
                    event = self._examined(links, rows[0])
                    if event is not None:
                        replay.apply([(links.sequence, *rows[0][1:])], [event])
                    if anchor and links.sequence == anchor.sequence:
                        self._held(anchor, links.digest)
                    rows = rows[1:]
            replay.settle(links.sequence)
            step()
        self._ends(connection, project, links)
        if anchor and anchor.sequence > links.sequence:
            self._wrong(
                links.sequence, "checkpoint", "sequence", "", links.sequence, anchor.sequence
            )
        replay.finish()
        step()

    def _held(self, anchor: Head, digest: str) -> None:
        if digest != anchor.digest:
            self._wrong(anchor.sequence, "checkpoint", "digest", "", digest, anchor.digest)

    def _examined(self, links: Chain, row: tuple[Any, ...]) -> Happened | None:
        """The event of a row that is not as expected, after what is wrong with it was noted."""
        wrong, event, erased = links.examine(row)
        for table, column, found, expected in wrong:
            self._wrong(links.sequence, table, str(row[1]), column, found, expected)
        if erased:
            self._erased.append(str(row[1]))
        return event

    def _ends(self, connection: Connection, project: str, links: Chain) -> None:
        """Hold the head against the last event, and the number of payloads against the events."""
        sequence = links.sequence
        found = [
            tuple(row)
            for row in connection.execute(
                select(heads.c.sequence, heads.c.digest).where(heads.c.project == project)
            )
        ]
        ahead = len(found) == 1 and type(found[0][0]) is int and found[0][0] > sequence
        if ahead and found[0][1] != links.digest:
            # The head is of a later event: it is the events that are gone.
            self._wrong(sequence + 1, "events", str(sequence + 1), "", "no such row", "an event")
        elif found != ([(sequence, links.digest)] if sequence else []):
            self._wrong(sequence, "heads", project, "", found, (sequence, links.digest))
        there, wanted = (_count(connection, table, project) for table in (payloads, events))
        if there != wanted:
            self._wrong(None, "payloads", project, "", f"{there} rows", f"{wanted} rows")


def _tombstones(connection: Connection, project: Any) -> dict[str, Tombstone]:
    """What the events say was erased, before the replay comes to what they erased."""
    import orjson

    statement = (
        select(events.c.at, events.c.subject, payloads.c.body)
        .join_from(
            events,
            payloads,
            (events.c.project == payloads.c.project) & (events.c.sequence == payloads.c.sequence),
        )
        .where(events.c.project == project, events.c.kind == "payload.erased")
    )
    found = {}
    for at, subject, body in connection.execute(statement):
        try:
            reason = orjson.loads(body)["reason"]
        except (TypeError, ValueError, KeyError):
            continue  # the replay names this event's payload as the one that is wrong
        found[subject] = Tombstone(at=at, reason=reason)
    return found


def _projects(connection: Connection, checkpoint: Checkpoint | None) -> dict[Any, str]:
    """Every project that the checkpoint or a row of any table names, and such a table."""
    found: dict[Any, str] = dict.fromkeys(checkpoint.heads if checkpoint else (), "heads")
    for table, project in connection.execute(_everywhere()):
        found.setdefault(project, table)
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


@functools.cache
def _everywhere() -> CompoundSelect[Any]:
    tables = [table for table in metadata.tables.values() if "project" in table.c]
    return union_all(
        *(select(literal_column(f"'{table.name}'"), table.c.project).distinct() for table in tables)
    )


def _count(connection: Connection, table: Table, project: Any) -> int:
    statement = select(func.count()).select_from(table)
    if project is not None:
        statement = statement.where(table.c.project == project)
    return int(connection.execute(statement).scalar_one())


def _tolerant(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
