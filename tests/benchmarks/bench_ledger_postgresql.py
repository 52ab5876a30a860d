"""The ledger in PostgreSQL: appends against bare inserts, one process against many, verifying.

The server is one of this benchmark's own, with its own defaults: fsync and synchronous_commit are
on, and a commit on either side is one flush of its log.
"""

import os
import statistics
import sys
import time

from bench_ledger import (
    APPEND_BOUND,
    RUNS,
    VERIFY_BOUND,
    append_some,
    bare,
    fill,
    hash_all,
    insert_some,
    payload,
    rate,
    verified,
)
from postgres import server
from sqlalchemy import Engine, create_engine, make_url, text
from timing import Result, finish, interleaved, timed

from interlock.ids import new_id
from interlock.ledger import Ledger
from interlock_hookspecs import Actor

APPENDS = 50
PAIRS = 21
PROCESSES = 32
SECONDS = 4.0
ROUNDS = 5
MANY_BOUND = 0.5
ANA = Actor(subject="ana")


def assert_durable(engine: Engine) -> None:
    """End where a commit would not reach the disk."""
    with engine.connect() as connection:
        for name in ("fsync", "synchronous_commit"):
            said = connection.execute(text(f"SHOW {name}")).scalar_one()
            if said != "on":
                sys.exit(f"{name} is {said}: not durable")


def appends_a_second(address: str, processes: int) -> float:
    """What processes that append to one chain, one event a commit, do together in a second.

    Each has connected, and written one event, before the clock starts for all.
    """
    ready, told = os.pipe(), os.pipe()
    begin = os.pipe()
    for _ in range(processes):
        if os.fork() == 0:
            _append_for_a_while(address, ready[1], begin[0], told[1])
    for _ in range(processes):
        os.read(ready[0], 1)
    os.write(begin[1], bytes(processes))
    ended = [os.wait()[1] for _ in range(processes)]
    if any(ended):
        sys.exit(f"{sum(map(bool, ended))} of {processes} writers failed")
    counts = os.read(told[0], 8 * processes)
    for side in (*ready, *told, *begin):
        os.close(side)
    whole = [int.from_bytes(counts[at : at + 8], "big") for at in range(0, len(counts), 8)]
    return sum(whole) / SECONDS


def _append_for_a_while(address: str, ready: int, begin: int, told: int) -> None:
    """Be a writer; does not return."""
    with Ledger.open(address, actor=ANA) as ledger:
        run, count = new_id("run"), 0
        said = payload(run, "train")
        ledger.append("shared", "stage.started", new_id("stage"), said, run=run)
        os.write(ready, b"x")
        os.read(begin, 1)
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            ledger.append("shared", "stage.started", new_id("stage"), said, run=run)
            count += 1
    os.write(told, count.to_bytes(8, "big"))
    os._exit(0)


def many_against_one(address: str) -> Result:
    """The rate of many processes as a share of one's, each the median of rounds in turn."""
    one, many = [], []
    for _ in range(ROUNDS):
        one.append(appends_a_second(address, 1))
        many.append(appends_a_second(address, PROCESSES))
    alone, together = statistics.median(one), statistics.median(many)
    return Result(
        name=f"PostgreSQL: {PROCESSES} processes on one chain against one",
        value=together / alone,
        unit="x",
        bound=MANY_BOUND,
        least=True,
        medians=f"{together:,.0f} events/s, {alone:,.0f} events/s",
    )


def main() -> None:
    """Measure on one server: one writer, many, and a verification."""
    with server() as address:
        with Ledger.open(address, actor=ANA) as ledger:
            engine = create_engine(make_url(address).set(drivername="postgresql+psycopg"))
            bare.metadata.create_all(engine)
            for one in (ledger.engine, engine):
                assert_durable(one)
            ours, theirs = interleaved(
                lambda: timed(lambda: append_some(ledger, APPENDS)),
                lambda: timed(lambda: insert_some(engine, APPENDS)),
                pairs=PAIRS,
            )
            engine.dispose()
        appends = rate(
            "PostgreSQL: appends against bare inserts", APPENDS, ours, theirs, APPEND_BOUND
        )
        many = many_against_one(address)
    with server() as address, Ledger.open(address, actor=ANA) as ledger:
        count = fill(ledger, "p", RUNS)
        ours, theirs = interleaved(
            lambda: timed(lambda: verified(ledger)),
            lambda: timed(lambda: hash_all(ledger)),
            pairs=7,
        )
        verifying = rate(
            "PostgreSQL: audit verify against hashing rows", count, ours, theirs, VERIFY_BOUND
        )
    finish(appends, many, verifying)


if __name__ == "__main__":
    main()
