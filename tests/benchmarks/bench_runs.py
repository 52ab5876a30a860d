"""``interlock runs`` and its filters: 100,000 runs against 100.

The rows of both ledgers go into the tables at once, without their events: a listing reads rows,
and 100,000 runs one event at a time would take an hour. What ``--status`` and ``--actor`` ask for
are the oldest twenty runs of the stack, the hardest to find, and a page is as long in both.
"""

import hashlib
import itertools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from timing import EXAMPLE, Result, finish, interleaved, run_process, timed

from interlock.ids import short
from interlock.ledger import Ledger
from interlock.ledger.tables import PROJECTIONS
from interlock_hookspecs import Actor

FEW, MANY = 100, 100_000
WITHIN_BOUND, WHOLE_BOUND = 1.5, 1.15
CALLS, PAIRS = 200, 11
PROJECT = "employment"
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
STACKS = ("dev", "prod")
PAGE = 20


def identifier(kind: str, number: int) -> str:
    """An id as core makes them: a minute apart, so that ids sort by number."""
    milliseconds = int((FIRST + timedelta(minutes=number)).timestamp() * 1000)
    noise = hashlib.sha256(f"{kind} {number}".encode()).hexdigest()[:19]
    return f"{kind}-{milliseconds:012x}7{noise}"


def model_of(number: int) -> str:
    """The digest of a run's own model."""
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


def run_row(number: int) -> dict[str, Any]:
    """A run as the projection holds it."""
    run, at = identifier("run", number), FIRST + timedelta(minutes=number)
    oldest = number < PAGE * len(STACKS)
    return {
        "project": PROJECT,
        "id": run,
        "short": short(run),
        "sequence": number + 1,
        "stack": STACKS[number % len(STACKS)],
        "until": "register",
        "status": "refused" if oldest else "done",
        "stage": "register",
        "actor": "ben" if oldest else "ana",
        "started_at": at.isoformat(timespec="microseconds"),
        "finished_at": at.isoformat(timespec="microseconds"),
        "model": model_of(number),
        "message": "done until register",
        "exit_code": 0,
        "body": '{"overrides":[]}',
    }


def candidate_row(number: int) -> dict[str, Any]:
    """The run's candidate: ``--model`` finds a digest by it."""
    candidate = identifier("candidate", number)
    return {
        "project": PROJECT,
        "id": candidate,
        "short": short(candidate),
        "sequence": number + 1,
        "run": identifier("run", number),
        "model": model_of(number),
    }


def filled(folder: Path, count: int) -> Ledger:
    """A project's folder with so many runs in its ledger."""
    folder.mkdir(parents=True)
    for name in ("interlock.toml", "project.py"):
        shutil.copy(EXAMPLE / name, folder)
    with (folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write('\n[stack.prod]\nextends = "dev"\n')
    (folder / ".interlock").mkdir()
    url = f"sqlite:///{folder}/.interlock/ledger.db"
    ledger = Ledger.open(url, actor=Actor(subject="ana"))
    for table, row in (("runs", run_row), ("candidates", candidate_row)):
        numbers = iter(range(count))
        while some := [row(number) for number in itertools.islice(numbers, 5_000)]:
            with ledger.writing() as connection:
                connection.execute(insert(PROJECTIONS[table]), some)
    return ledger


def questions(count: int) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Each filter: its name, as the ledger is asked, and as the command is typed."""
    since = FIRST + timedelta(minutes=count // 2)
    model = model_of(count // 2)
    yield "default page", {"stack": "dev"}, []
    yield "status", {"stack": "dev", "status": "refused"}, ["--status", "refused"]
    yield "stack", {"stack": "prod"}, ["--stack", "prod"]
    yield "actor", {"stack": "dev", "actor": "ben"}, ["--actor", "ben"]
    yield "model", {"model": model}, ["--every-stack", "--model", model[:19]]
    yield "since", {"stack": "dev", "since": since}, ["--since", f"{since:%Y-%m-%dT%H:%M:%S}"]


def asking(ledger: Ledger, question: dict[str, Any]) -> Callable[[], Any]:
    """Asks for one page."""
    return lambda: timed(lambda: ledger.reads.runs(PROJECT, limit=PAGE, **question))


def main() -> None:
    """Ask both ledgers each question, within a process and by whole processes."""
    command = str(Path(sys.executable).with_name("interlock"))
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        folders = {count: Path(scratch, str(count)) for count in (FEW, MANY)}
        ledgers = {count: filled(folder, count) for count, folder in folders.items()}
        asked = zip(questions(MANY), questions(FEW), strict=True)
        for (name, many, typed_many), (_, few, typed_few) in asked:
            sides = ((MANY, many), (FEW, few))
            pages = [len(ledgers[count].reads.runs(PROJECT, **asks)) for count, asks in sides]
            if pages[0] != pages[1] or not pages[1]:
                sys.exit(f"{name}: pages of {pages} rows cannot be compared")
            ours, theirs = interleaved(
                asking(ledgers[MANY], many), asking(ledgers[FEW], few), pairs=CALLS
            )
            results.append(
                Result(
                    name=f"runs, {name}: 100,000 against 100, engine to rows",
                    value=ours.wall / theirs.wall,
                    unit="x",
                    bound=WITHIN_BOUND,
                    medians=f"{ours.wall * 1e3:.2f} ms, {theirs.wall * 1e3:.2f} ms",
                )
            )
            ours, theirs = interleaved(
                lambda typed=typed_many: run_process([command, "runs", *typed], cwd=folders[MANY]),
                lambda typed=typed_few: run_process([command, "runs", *typed], cwd=folders[FEW]),
                pairs=PAIRS,
            )
            results.append(
                Result(
                    name=f"runs, {name}: 100,000 against 100, whole process",
                    value=ours.wall / theirs.wall,
                    unit="x",
                    bound=WHOLE_BOUND,
                    medians=f"{ours.wall * 1e3:.0f} ms, {theirs.wall * 1e3:.0f} ms",
                )
            )
    finish(*results)


if __name__ == "__main__":
    main()
