"""The whole life of a model on census data, told by the commands that a person would type.

    python demo.py

Works in a folder of its own beside this file (``.demo``), made anew each time. Every number that
is printed was computed by the command above it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
HOME = HERE / ".demo"
INTERLOCK = Path(sys.executable).with_name("interlock")
ROWS_A_REQUEST = 1000
OTHERS_ANSWERS = ("prediction", "predicted_probability")
TREE = "train-sklearn.estimator=sklearn.tree.DecisionTreeClassifier"
COLOUR = sys.stdout.isatty()
summary: list[tuple[str, str]] = []


def say(text: str) -> None:
    """A heading of the story."""
    print(f"\n\033[1;36m{text}\033[0m" if COLOUR else f"\n== {text}", flush=True)


def interlock(*arguments: str, expect: int = 0, actor: str = "dana", quiet: bool = False) -> str:
    """Type a command; stop the story where it ends otherwise than expected."""
    line = " ".join(f'"{word}"' if " " in word else word for word in arguments)
    print(f"$ {'' if actor == 'dana' else f'INTERLOCK_ACTOR={actor} '}interlock {line}", flush=True)
    environ = {**os.environ, "INTERLOCK_ACTOR": actor}
    if COLOUR:
        environ["FORCE_COLOR"] = "1"
    done = subprocess.run(
        [INTERLOCK, *arguments], cwd=HOME, env=environ, capture_output=True, text=True, check=False
    )
    if not quiet:
        print("\n".join(f"  {text}" for text in (done.stdout + done.stderr).splitlines()))
    if done.returncode != expect:
        print(f"expected exit code {expect}, found {done.returncode}:\n{done.stdout}{done.stderr}")
        sys.exit(1)
    return done.stdout


def listed(*arguments: str) -> list[dict]:
    """A listing, as a program reads it."""
    return json.loads(interlock(*arguments, "--json", quiet=True))


def prepare() -> None:
    """A new folder with the project in it; the server of an earlier story is ended."""
    if (HOME / "interlock.toml").exists():
        done = subprocess.run(
            [INTERLOCK, "undeploy"], cwd=HOME, capture_output=True, text=True, check=False
        )
        print(done.stdout.strip() or done.stderr.strip())
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    for name in ("interlock.toml", "project.py"):
        shutil.copy(HERE / name, HOME)
    (HOME / "data").symlink_to(HERE / "data")


def request_body(rows: pa.Table) -> bytes:
    """Rows as an Open Inference Protocol request, one tensor a column."""
    kinds = {"double": "FP64", "int64": "INT64"}
    inputs = []
    for name in rows.column_names:
        if name in OTHERS_ANSWERS:
            continue
        column = rows[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        kind = kinds.get(str(column.type), "BYTES")
        shape = [rows.num_rows]
        data = column.to_pylist()
        inputs.append({"name": name, "datatype": kind, "shape": shape, "data": data})
    return json.dumps({"inputs": inputs}).encode()


def ask(address: str, body: bytes) -> dict:
    """One prediction request; the answer, or an exception."""
    url = f"{address}/v2/models/employment/infer"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def send(address: str, rows: pa.Table) -> None:
    """Send rows as the years' traffic, and say how fast."""
    bodies = [
        request_body(rows.slice(start, ROWS_A_REQUEST))
        for start in range(0, rows.num_rows, ROWS_A_REQUEST)
    ]
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        for answer in pool.map(lambda body: ask(address, body), bodies):
            assert answer["outputs"]
    seconds = time.perf_counter() - started
    print(f"  {rows.num_rows:,} people scored in {len(bodies)} requests, {seconds:.1f} s")
    # Captures reach the disk within a second of the answer.
    time.sleep(1.2)


class Load:
    """Clients that keep asking while something else happens; counts what failed."""

    def __init__(self, address: str, rows: pa.Table) -> None:
        self._address = address
        self._body = request_body(rows)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]
        self.answered: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                answer = ask(self._address, self._body)
            except (urllib.error.URLError, OSError) as error:
                self.failed.append(str(error))
            else:
                self.answered.append(answer["parameters"]["release"])


def main() -> None:
    """Tell the story."""
    started = time.perf_counter()
    prepare()
    traffic = pq.read_table(HERE / "data/2016-2018.parquet")

    say("1. A first candidate: an unpruned tree. It learnt its rows by heart, and a gate says so.")
    interlock("run", "--set", TREE, expect=3)
    tree = listed("runs", "--limit", "1")[0]
    summary.append(("refused", tree["message"].splitlines()[1].strip(" -")))

    say("2. A second: gradient boosting. It passes what refuses, and waits where a person must say.")
    interlock("run", expect=4)
    run = listed("runs", "--limit", "1")[0]["id"]
    interlock("review", run, "--explain")
    interlock("approve", run, "--reason", "I ran it, so I like it", expect=3)

    say("3. Somebody else reads the dossier and approves it, with a reason on record.")
    reason = "ratio rests on occupation; reviewed with the equality officer, re-check in 2019"
    interlock("approve", run, "--reason", reason, actor="ravi")
    interlock("run", "--resume", run)
    print(interlock("show", run, "--card", quiet=True).strip())
    address = listed("deployments")[0]["address"]
    first = ask(address, request_body(traffic.slice(0, 1)))
    print(f"  one person's answer: {json.dumps(first['outputs'])[:150]}")
    summary.append(("released", f"by ravi: {reason}"))

    say("4. The years go by: 2016, 2017 and 2018 are scored, and every answer is captured.")
    send(address, traffic)

    say("5. Labels arrive later. Ordinary years are quiet.")
    interlock("labels", "add", "data/labels.parquet")
    for year in (2016, 2017, 2018):
        interlock("monitor", "--from", str(year), "--to", str(year + 1))
    summary.append(("2016-2018", "monitoring is quiet, on drift and on performance"))

    say("6. Then the mix of people changes: the under-30s only, as the year 2019. It speaks.")
    young = traffic.filter(
        pc.and_(pc.less(traffic["AGEP"], 30), pc.equal(traffic["year"], 2018))
    )
    year = pa.array([2019] * young.num_rows, pa.int64())
    send(address, young.set_column(young.schema.get_field_index("year"), "year", year))
    seen = interlock("monitor", "--from", "2019", "--to", "2020", expect=5)
    found = [line for line in seen.splitlines() if "alert" in line]
    summary.append(("under 30", f"monitoring raises {len(found)} alerts"))

    say("7. A challenger learns from all labelled years, is approved, and swapped in under load.")
    labelled = traffic.join(pq.read_table(HERE / "data/labels.parquet"), "id")
    past = pq.read_table(HERE / "data/2015.parquet")
    everything = pa.concat_tables(
        [table.select(past.column_names).unify_dictionaries() for table in (past, labelled)],
        promote_options="permissive",
    )
    pq.write_table(everything.sort_by("id"), HOME / "2015-2018.parquet")
    interlock("run", "--set", "task.dataset=2015-2018.parquet", expect=4)
    challenger = listed("runs", "--limit", "1")[0]["id"]
    interlock("approve", challenger, "--reason", "four years of labels", actor="ravi")
    with Load(address, traffic.slice(0, 20)) as load:
        interlock("run", "--resume", challenger)
    both = len(set(load.answered))
    print(f"  {len(load.answered):,} requests answered by {both} releases, {len(load.failed)} failed")
    assert not load.failed, load.failed[:3]
    summary.append(("hot swap", f"{len(load.answered):,} requests, {len(load.failed)} failed"))

    say("8. Second thoughts: one command goes back.")
    interlock("rollback")
    interlock("models")
    summary.append(("rollback", "version 1 serves again" if both > 1 else "nothing to swap"))

    say("9. The record is whole. One byte of a copy is changed, and verification says where.")
    verified = interlock("audit", "verify")
    summary.append(("record", verified.strip().lstrip("✓ ")))
    where = tamper()
    summary.append(("tampering", where))
    interlock("undeploy")

    say(f"The life of a model, in {time.perf_counter() - started:.0f} s")
    for name, text in summary:
        print(f"  {name:<11} {text[:150]}")
    print(f"\n  the model card and the ledger are in {HOME.relative_to(Path.cwd(), walk_up=True)}"
          if sys.version_info >= (3, 12) else f"\n  the model card and the ledger are in {HOME}")


def tamper() -> str:
    """Change one digit of a recorded check in a copy of the ledger, and verify the copy."""
    copy = HOME / "copy"
    copy.mkdir()
    shutil.copy(HOME / "interlock.toml", copy)
    shutil.copy(HOME / "project.py", copy)
    (copy / "data").symlink_to(HERE / "data")
    (copy / ".interlock").mkdir()
    source = sqlite3.connect(HOME / ".interlock/ledger.db")
    target = sqlite3.connect(copy / ".interlock/ledger.db")
    with source, target:
        source.backup(target)
        target.execute("UPDATE approvals SET actor = 'rabi' WHERE actor = 'ravi'")
    source.close()
    target.close()
    print("$ (a copy of the ledger, its approvals now by 'rabi')")
    done = subprocess.run(
        [INTERLOCK, "audit", "verify"], cwd=copy, capture_output=True, text=True, check=False
    )
    print("\n".join(f"  {line}" for line in (done.stdout + done.stderr).splitlines()))
    assert done.returncode == 1, done.returncode
    return done.stdout.splitlines()[0].lstrip("✗ ")


if __name__ == "__main__":
    main()
