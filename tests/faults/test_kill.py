"""A run killed anywhere: the record is whole, and the same run goes on to its end."""

import os
import random
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from interlock.processes import mark
from interlock_hookspecs import Actor, file_digest

KILL_POINTS = Path(__file__).with_name("kill_points.py")
KILLS = int(os.environ.get("INTERLOCK_KILLS", "15"))
KILLED = -9
STAGES = range(1, 8)
PROJECT = '''\
"""Counts fits, and dies after the event that KILL_AFTER names."""

import os
import signal
from pathlib import Path

from interlock_hookspecs import hookimpl

kind, nth = os.environ.get("KILL_AFTER", "nothing 0").split()
left = int(nth)


def estimator():
    from sklearn.tree import DecisionTreeClassifier

    with Path(__file__).with_name("fits").open("a") as fits:
        fits.write("x")
    return DecisionTreeClassifier(max_depth=3)


@hookimpl
def on_event(event):
    global left
    left -= event.kind == kind
    if event.kind == kind and not left:
        os.kill(os.getpid(), signal.SIGKILL)
'''
AFTER = [
    ("run.started", 1),
    *(("stage.started", stage) for stage in STAGES),
    ("version.intended", 1),
    ("deployment.targets", 1),
    ("alias.intended", 1),
    ("run.finished", 1),
]
WITHIN = [
    ("run.started", 1),
    # The commit before the start of a stage is the end of the one before it.
    *(("stage.started", stage) for stage in STAGES),
    *(("stage.finished", stage) for stage in STAGES),
    ("candidate.made", 1),
    ("alias.moved", 1),
    ("run.finished", 1),
]
BETWEEN = [
    *((where, "-", nth) for where in ("placing", "placed") for nth in (1, 3, 5)),
    ("answered", "fit_candidate", 1),
    ("answered", "register_version", 1),
    ("answered", "set_alias", 1),
]


class Victim:
    """A project whose runs are killed; each run has rows of its own, so nothing is reused."""

    def __init__(self, project, rows):
        self.project = project
        self._rows = rows
        self._last = None
        self.runs = 0
        path = project.folder / "project.py"
        path.write_text(PROJECT, encoding="utf-8")
        project.edit('"sklearn.tree.DecisionTreeClassifier"', '"project:estimator"')
        project.edit("parameters = { max_depth = 3 }", "")

    def renew(self):
        """Other rows: another dataset, another model."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        self.runs += 1
        other = pc.add(self._rows["x"], self.runs / 1000)
        pq.write_table(self._rows.set_column(1, "x", other), self.project.folder / "rows.parquet")

    @property
    def fits(self):
        """How often an estimator was made to be fitted."""
        path = self.project.folder / "fits"
        return path.stat().st_size if path.exists() else 0

    def look(self):
        """The latest run and its events, after every event was verified and every blob read."""
        from interlock.ledger import Ledger, verify

        for blob in self.project.folder.glob(".interlock/artifacts/sha256/*/*"):
            assert file_digest(blob) == f"sha256:{blob.name}"
        path = self.project.folder / ".interlock/ledger.db"
        if not path.exists():
            return None, []
        # Opened anew each time: whoever comes first after a death recovers the journal.
        with Ledger.open(f"sqlite:///{path}", actor=Actor(subject="ana", issuer="test")) as ledger:
            assert verify(ledger).ok
            runs = ledger.reads.runs(project="small", limit=1)
            if not runs:
                return None, []
            events = ledger.reads.events(project="small", run=runs[0]["id"], limit=1000)
            return runs[0], [event["kind"] for event in events]

    def survives(self):
        """Whatever was left, the run goes on to its end, and no act was done twice."""
        run, kinds = self.look()
        fits, fitted = self.fits, kinds.count("candidate.made")
        if run is None or run["id"] == self._last:
            # It died before it was a run.
            self.project("run")
            fitted = 0
        else:
            self.project("run", "--resume", run["id"])
        assert self.fits - fits == 1 - fitted
        run, kinds = self.look()
        assert run["status"] == "done"
        for kind in ("candidate.made", "version.intended", "version.registered", "release.made"):
            assert kinds.count(kind) == 1, kind
        self._last = run["id"]
        # The registry has as many versions as there were runs.
        path = self.project.folder / ".interlock/registry.db"
        with closing(sqlite3.connect(path)) as registry:
            (count,) = registry.execute("SELECT count(*) FROM registry_versions").fetchone()
        assert count == self.runs
        return run

    def answers(self, run):
        """One server lives, and serves what the run released."""
        assert len(list(self.project.servers())) == 1
        endpoint = self.project.endpoint
        assert endpoint["now"] == "answers"
        release = self.project.listed("show", endpoint["release"])
        assert release["run"] == run["id"]
        assert endpoint["serving"] == [endpoint["release"]]


@pytest.fixture(scope="module")
def victim(make_project, rows, tmp_path_factory):
    """A project that serves already, so that each run takes its endpoint over."""
    project = make_project(tmp_path_factory.mktemp("kill") / "small")
    made = Victim(project, rows)
    made.renew()
    made.survives()
    yield made
    project.close()


@pytest.fixture
def newborn(small, rows):
    """A project without a ledger."""
    return Victim(small, rows)


def kill(victim, **where):
    """A run that dies at a place."""
    victim.renew()
    victim.project("run", expect=KILLED, **where)
    return victim.survives()


@pytest.mark.parametrize(("kind", "nth"), AFTER)
def test_after_an_event(victim, kind, nth):
    """Killed when an event was just written: the run goes on from there."""
    kill(victim, KILL_AFTER=f"{kind} {nth}")


@pytest.mark.parametrize(("kind", "nth"), WITHIN)
def test_within_the_transaction_of_an_event(victim, kind, nth):
    """Killed before the commit: nothing of the transaction is there, and the run goes on."""
    kill(victim, first=KILL_POINTS, KILL=f"within {kind} {nth}")


@pytest.mark.parametrize(("where", "name", "nth"), BETWEEN)
def test_between_an_act_and_its_record(victim, where, name, nth):
    """Killed in an artifact's write, or after a backend acted: the act is found, or done again."""
    kill(victim, first=KILL_POINTS, KILL=f"{where} {name} {nth}")


def test_what_the_dead_left_is_swept(victim):
    """Half an artifact and folders to work in: gone with a run after an hour, the living's not."""
    scratch = victim.project.folder / ".interlock/artifacts/scratch"
    victim.renew()
    victim.project("run", expect=KILLED, first=KILL_POINTS, KILL="placing - 2")
    left = list(scratch.iterdir())
    assert any(path.suffix == ".tmp" for path in left)
    ours, strange = scratch / f"{mark()}.mine", scratch / "0123456789ab-1-1.theirs"
    for path in (ours, strange):
        path.mkdir()
    victim.survives()
    assert {*left, ours, strange} <= {*scratch.iterdir()}
    for path in (*left, ours, strange):
        os.utime(path, times=(0, time.time() - 2 * 3600))
    victim.renew()
    victim.survives()
    assert sorted(scratch.iterdir()) == sorted([ours, strange])
    os.utime(strange, times=(0, time.time() - 8 * 24 * 3600))
    victim.renew()
    victim.survives()
    assert list(scratch.iterdir()) == [ours]


def test_runs_that_nobody_resumes(victim):
    """One died when the registry had moved the alias, one before it did; the next goes on."""
    victim.renew()
    victim.project("run", expect=KILLED, first=KILL_POINTS, KILL="answered set_alias 1")
    victim.renew()
    victim.project("run", expect=KILLED, KILL_AFTER="alias.intended 1")
    kill(victim, KILL_AFTER="run.started 1")


def test_the_endpoint_follows_the_last_of_them(victim):
    """After all these deaths one server answers, with the release of the last run."""
    run, _ = victim.look()
    victim.answers(run)


def test_at_any_moment(victim):
    """Killed at random moments, INTERLOCK_KILLS of them."""
    chance = random.Random(20_261_123)  # noqa: S311  (the same moments each time)
    started = time.monotonic()
    victim.renew()
    run = victim.survives()
    usual, deaths = time.monotonic() - started, 0
    for _ in range(4 * KILLS):
        victim.renew()
        moment = chance.uniform(0, usual)
        command = victim.project.start("run")
        time.sleep(moment)
        command.kill()
        if command.end().code == KILLED:
            deaths += 1
        else:
            # It had ended by then: later moments would only find ended runs.
            usual = moment
        run = victim.survives()
        if deaths == KILLS:
            break
    victim.answers(run)
    assert deaths == KILLS


@pytest.mark.parametrize(
    "where",
    [
        {"KILL_AFTER": "run.started 1"},
        {"KILL_AFTER": "deployment.intended 1"},
        {"first": KILL_POINTS, "KILL": "within deployment.applied 1"},
        {"first": KILL_POINTS, "KILL": "within alias.intended 1"},
    ],
    ids=lambda where: where.get("KILL", where.get("KILL_AFTER")),
)
def test_in_the_first_run_of_a_project(newborn, where):
    """Killed while the ledger, the registry or the server is new: one server comes of it."""
    with (newborn.project.folder / "interlock.toml").open("a") as file:
        file.write(f"[stack.dev.deploy-local]\nport = {free_port()}\n")
    newborn.answers(kill(newborn, **where))


def test_while_a_ledger_is_made(newborn):
    """Killed in the first moments of a project, again and again: there is one ledger in the end."""
    chance = random.Random(20_261_123)  # noqa: S311  (the same moments each time)
    for _ in range(8):
        command = newborn.project.start("status")
        time.sleep(chance.uniform(0, 0.12))
        command.kill()
        command.end()
    newborn.renew()
    newborn.survives()


def free_port():
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
