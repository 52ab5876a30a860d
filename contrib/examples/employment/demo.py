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
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from traffic import Load, ask, request_body, send

HERE = Path(__file__).resolve().parent
HOME = HERE / ".demo"
INTERLOCK = Path(sys.executable).with_name("interlock")
TREE = "train-sklearn.estimator=sklearn.tree.DecisionTreeClassifier"
COLOUR = sys.stdout.isatty()
RUNNER, REVIEWER = "dana", "ravi"


def say(text: str) -> None:
    """A heading of the story."""
    print(f"\n\033[1;36m{text}\033[0m" if COLOUR else f"\n== {text}", flush=True)


def stop(text: str) -> None:
    """End the story here: something is not as it should be."""
    print(text)
    sys.exit(1)


def interlock(
    *words: str, expect: int = 0, actor: str = RUNNER, home: Path = HOME, quiet: bool = False
) -> str:
    """Type a command and show what it prints; stop where it ends otherwise than expected."""
    line = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"$ {'' if actor == RUNNER else f'INTERLOCK_ACTOR={actor} '}interlock {line}", flush=True)
    environ = {**os.environ, "INTERLOCK_ACTOR": actor}
    done = subprocess.run(
        [INTERLOCK, *words], cwd=home, env=environ, capture_output=True, text=True, check=False
    )
    printed = done.stdout + done.stderr
    if not quiet:
        print("\n".join(f"  {text}" for text in printed.splitlines()))
    if done.returncode != expect:
        stop(f"expected exit code {expect}, found {done.returncode}:\n{printed}")
    return done.stdout


def listed(*words: str) -> list[dict[str, Any]]:
    """A listing, as a program reads it."""
    return json.loads(interlock(*words, "--json", quiet=True))


def serving() -> dict[str, Any]:
    """The endpoint as it is now."""
    return listed("deployments")[0]


def prepare() -> None:
    """A new folder with the project in it; the server of an earlier story is ended."""
    if (HOME / "interlock.toml").exists():
        interlock("undeploy")
    shutil.rmtree(HOME, ignore_errors=True)
    copy_project(HOME)


def copy_project(folder: Path) -> None:
    """The project in a folder, its data shared."""
    folder.mkdir()
    for name in ("interlock.toml", "project.py"):
        shutil.copy(HERE / name, folder)
    (folder / "data").symlink_to(HERE / "data")


def a_tree_is_refused() -> str:
    """An unpruned tree learnt its rows by heart; a gate says so."""
    interlock("run", "--set", TREE, expect=3)
    (run,) = listed("runs", "--limit", "1")
    return "; ".join(line.strip(" -.") for line in run["message"].splitlines()[1:])


def boosting_waits() -> str:
    """Gradient boosting passes what refuses; one bound asks a person. Not the one who ran it."""
    interlock("run", expect=4)
    (run,) = listed("runs", "--limit", "1")
    interlock("review", run["id"], "--explain")
    interlock("approve", run["id"], "--reason", "I ran it, so I like it", expect=3)
    return run["id"]


def somebody_else_approves(run: str, traffic: pa.Table) -> str:
    """A reason goes on record; the model is released, deployed, and answers."""
    reason = "ratio rests on occupation; reviewed with the equality officer, again next year"
    interlock("approve", run, "--reason", reason, actor=REVIEWER)
    interlock("run", "--resume", run)
    interlock("show", run, "--card")
    answer = ask(serving()["address"], request_body(traffic.slice(0, 1)))
    for output in answer["outputs"]:
        print(f"  one person's {output['name']}: {output['data'][0]}")
    return f"approved by {REVIEWER}: {reason}"


def ordinary_years_are_quiet(traffic: pa.Table) -> str:
    """Three years are scored, labels arrive, and monitoring finds nothing."""
    send(serving()["address"], traffic)
    interlock("labels", "add", "data/labels.parquet")
    for year in (2016, 2017, 2018):
        interlock("monitor", "--from", str(year), "--to", str(year + 1))
    windows = listed("monitor", "--from", "2016", "--to", "2019")
    rows = sum(window["rows"] for window in windows)
    return f"{rows:,} people, {alerts(windows)} alerts"


def another_mix_is_loud(traffic: pa.Table) -> str:
    """The under-30s only, as the year 2019: drift and performance both speak."""
    under_30 = pc.and_(pc.less(traffic["AGEP"], 30), pc.equal(traffic["year"], 2018))
    young = traffic.filter(under_30)
    year = pa.array([2019] * young.num_rows, pa.int64())
    send(serving()["address"], young.set_column(young.column_names.index("year"), "year", year))
    interlock("monitor", "--from", "2019", "--to", "2020", expect=5)
    found = interlock("monitor", "--from", "2019", "--to", "2020", "--json", expect=5, quiet=True)
    return f"{young.num_rows:,} people, {alerts(json.loads(found))} alerts"


def alerts(windows: list[dict[str, Any]]) -> int:
    """How many findings of some windows are alerts."""
    return sum(found["status"] == "alert" for window in windows for found in window["findings"])


def a_challenger_is_swapped_in(traffic: pa.Table) -> str:
    """All labelled years teach a challenger; it takes over while clients keep asking."""
    labelled = traffic.join(pq.read_table(HERE / "data/labels.parquet"), "id")
    past = pq.read_table(HERE / "data/2015.parquet")
    years = [table.select(past.column_names).unify_dictionaries() for table in (past, labelled)]
    together = pa.concat_tables(years, promote_options="permissive")
    pq.write_table(together.sort_by("id"), HOME / "2015-2018.parquet")
    interlock("run", "--set", "task.dataset=2015-2018.parquet", expect=4)
    (run,) = listed("runs", "--limit", "1")
    interlock("approve", run["id"], "--reason", "four years of labels", actor=REVIEWER)
    with Load(serving()["address"], traffic.slice(0, 20)) as load:
        interlock("run", "--resume", run["id"])
        time.sleep(0.5)
    releases = len(set(load.answered))
    text = f"{len(load.answered):,} requests by {releases} releases, {len(load.failed)} failed"
    print(f"  {text}")
    if load.failed or releases < 2:  # noqa: PLR2004  (before and after)
        stop(f"the swap was not seamless: {load.failed[:3]}")
    return text


def one_command_goes_back() -> str:
    """Second thoughts: the last good release serves again."""
    interlock("rollback")
    interlock("models")
    (champion,) = [version for version in listed("models") if version["aliases"]]
    return f"version {champion['number']} serves again"


def one_edit_shows() -> tuple[str, str]:
    """The record verifies; a copy of it with one letter changed does not."""
    verified = interlock("audit", "verify").strip().lstrip("✓ ").partition(" (")[0]
    copy = HOME / "copy"
    copy_project(copy)
    (copy / ".interlock").mkdir()
    with (
        sqlite3.connect(HOME / ".interlock/ledger.db") as source,
        sqlite3.connect(copy / ".interlock/ledger.db") as target,
    ):
        source.backup(target)
        (first,) = target.execute("SELECT min(id) FROM approvals").fetchone()
        target.execute("UPDATE approvals SET actor = 'rabi' WHERE id = ?", [first])
    print("  (in a copy of the ledger, one approval is now by 'rabi')")
    said = interlock("audit", "verify", expect=1, home=copy)
    return verified, said.splitlines()[0].lstrip("✗ ")


def main() -> None:
    """Tell the story."""
    started = time.perf_counter()
    prepare()
    traffic = pq.read_table(HERE / "data/2016-2018.parquet")
    summary = {}
    say("1. A first candidate: an unpruned tree. It learnt its rows by heart, and a gate says so.")
    summary["refused"] = a_tree_is_refused()
    say("2. A second: gradient boosting. It passes what refuses, and waits for a person.")
    run = boosting_waits()
    say("3. Somebody else reads the dossier and approves it, with a reason on record.")
    summary["released"] = somebody_else_approves(run, traffic)
    say("4. The years go by, every answer is captured, labels arrive. Ordinary years are quiet.")
    summary["2016-2018"] = ordinary_years_are_quiet(traffic)
    say("5. Then the mix of people changes: the under-30s only. Monitoring speaks.")
    summary["under 30"] = another_mix_is_loud(traffic)
    say("6. A challenger learns from all labelled years, and is swapped in under load.")
    summary["hot swap"] = a_challenger_is_swapped_in(traffic)
    say("7. Second thoughts: one command goes back.")
    summary["rollback"] = one_command_goes_back()
    say("8. The record is whole. In a copy one letter is changed, and verification says where.")
    summary["record"], summary["tampering"] = one_edit_shows()
    interlock("undeploy")
    say(f"The life of a model, in {time.perf_counter() - started:.0f} s")
    for name, text in summary.items():
        print(f"  {name:<10} {text}")
    print(f"\n  Its card, its ledger and all it left are in {os.path.relpath(HOME)}")


if __name__ == "__main__":
    main()
