"""Appending to a ledger against a bare insert, and verifying it against hashing what is stored.

Both sides keep what they were told: synchronous=FULL, write-ahead log, one commit an event. Both
sides read the same rows: a verification holds every row of every projection against the events,
so the loop reads those too. What the loop needs for the events alone is said beside.
"""

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from timing import ROOT, Cost, Result, finish, interleaved, timed

from interlock.ids import new_id
from interlock.ledger import Entry, Ledger, verify
from interlock.ledger.tables import PROJECTIONS, events, payloads
from interlock_hookspecs import Actor

APPENDS = 200
RUNS = 1_000
RUNS_WITH_CHECKS = 100
CHECKS = 118
STAGES = ("data", "train", "validate", "register")
APPEND_BOUND = VERIFY_BOUND = 0.5
# Each check is a row that follows from a part of an event.
CHECKS_BOUND = 0.33
MAKER = {"plugin": "validate-metrics", "version": "0.1.0", "settings": "{}"}

bare = Table(
    "bare", MetaData(), Column("id", Integer, primary_key=True), Column("body", LargeBinary)
)


def payload(run: str, stage: str) -> dict[str, Any]:
    """What an event of the lifecycle holds."""
    return {
        "run": run,
        "stage": stage,
        "inputs": f"sha256:{hashlib.sha256(run.encode()).hexdigest()}",
    }


def bare_engine(path: Path) -> Engine:
    """A database of one table, as durable as the ledger."""
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    bare.metadata.create_all(engine)
    return engine


def assert_durable(engine: Engine) -> None:
    """End where a commit would not reach the disk."""
    with engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    if (mode, synchronous) != ("wal", 2):
        sys.exit(f"{engine.url}: journal_mode {mode}, synchronous {synchronous}: not durable")


def append_some(ledger: Ledger, count: int) -> None:
    """Append one event a commit."""
    run = new_id("run")
    for turn in range(count):
        said = payload(run, STAGES[turn % len(STAGES)])
        ledger.append("p", "stage.started", new_id("stage"), said, run=run)


def insert_some(engine: Engine, count: int) -> None:
    """Insert one row a commit, its body the same payload."""
    run = new_id("run")
    for turn in range(count):
        body = orjson.dumps(payload(run, STAGES[turn % len(STAGES)]))
        with engine.begin() as connection:
            connection.execute(insert(bare).values(body=body))


def check(number: int) -> dict[str, Any]:
    """A check as validate measures one."""
    return {
        "name": f"measure_{number}",
        "subject": "SEX" if number % 2 else "",
        "value": 0.9 + number / 10_000,
        "low": 0.88,
        "high": 0.93,
        "n": 17_035,
        "version": 1,
        "maker": MAKER,
        "facts": {"threshold": 0.5, "average": "binary"},
    }


def fill(ledger: Ledger, project: str, runs: int, checks: int = 0) -> int:
    """Events of whole runs, a run a commit; gives their number."""
    count = 0
    for _ in range(runs):
        run = new_id("run")
        entries = [Entry("run.started", run, {"stack": "dev", "until": "register"})]
        for stage in STAGES:
            said, about = payload(run, stage), new_id("stage")
            entries.append(Entry("stage.started", about, said, run))
            if checks and stage == "validate":
                measured = [check(number) for number in range(checks)]
                entries.append(
                    Entry("checks.measured", run, {"phase": "model", "checks": measured}, run)
                )
            ended = {**said, "outputs": {"rows": 1000}, "seconds": 0.5}
            entries.append(Entry("stage.finished", about, ended, run))
        entries.append(Entry("run.finished", run, {"status": "done", "exit_code": 0}))
        count += len(ledger.append_all(project, entries))
    return count


def hash_events(ledger: Ledger) -> None:
    """Read every event and its payload, whole rows as a verification does, and hash their bytes."""
    statement = (
        select(events, payloads)
        .join_from(
            events,
            payloads,
            (events.c.project == payloads.c.project) & (events.c.sequence == payloads.c.sequence),
        )
        .order_by(events.c.project, events.c.sequence)
    )
    names = [str(column) for column in (*events.c, *payloads.c)]
    header, salt, body = map(names.index, ("events.header", "payloads.salt", "payloads.body"))
    with ledger.engine.connect() as connection:
        for row in connection.execute(statement):
            hashlib.sha256(row[header]).hexdigest()
            hashlib.sha256(row[salt] + row[body]).hexdigest()


def hash_all(ledger: Ledger) -> None:
    """Read every row of the ledger, and hash the stored bytes of its events."""
    hash_events(ledger)
    with ledger.engine.connect() as connection:
        for table in PROJECTIONS.values():
            for _ in connection.execute(select(table).order_by(table.c.sequence)):
                pass


def verified(ledger: Ledger) -> None:
    """Verify the whole ledger; end where it is not as recorded."""
    report = verify(ledger)
    if not report.ok:
        sys.exit(report.sentence)


def main() -> None:
    """Measure both pairs, each on a ledger of its own."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    # On the disk of the checkout: a temporary folder may be kept in memory, where a sync is free.
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        ledger = Ledger.open(f"sqlite:///{scratch}/ledger.db", actor=Actor(subject="ana"))
        engine = bare_engine(Path(scratch, "bare.db"))
        for one in (ledger.engine, engine):
            assert_durable(one)
        ours, theirs = interleaved(
            lambda: timed(lambda: append_some(ledger, APPENDS)),
            lambda: timed(lambda: insert_some(engine, APPENDS)),
            pairs=7,
        )
        appends = rate(
            "appends to the ledger against bare inserts", APPENDS, ours, theirs, APPEND_BOUND
        )
    name = "audit verify with replay against reading and hashing"
    finish(
        appends,
        verifying(build, name, VERIFY_BOUND, RUNS),
        verifying(
            build, f"... {CHECKS} checks a run", CHECKS_BOUND, RUNS_WITH_CHECKS, checks=CHECKS
        ),
    )


def verifying(build: Path, name: str, bound: float, runs: int, checks: int = 0) -> Result:
    """Verify a ledger of some runs against the loop."""
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        ledger = Ledger.open(f"sqlite:///{scratch}/ledger.db", actor=Actor(subject="ana"))
        count = fill(ledger, "p", runs, checks)
        ours, theirs = interleaved(
            lambda: timed(lambda: verified(ledger)),
            lambda: timed(lambda: hash_all(ledger)),
            pairs=7,
        )
        alone = timed(lambda: hash_events(ledger))
    return rate(name, count, ours, theirs, bound, f", {count / alone.wall:,.0f} the events alone")


def rate(name: str, count: int, ours: Cost, theirs: Cost, bound: float, more: str = "") -> Result:
    """Events a second of ours, as a share of theirs."""
    return Result(
        name=name,
        value=theirs.wall / ours.wall,
        unit="x",
        bound=bound,
        least=True,
        medians=f"{count / ours.wall:,.0f} events/s, {count / theirs.wall:,.0f} events/s{more}",
    )


if __name__ == "__main__":
    main()
