"""A project whose runs are killed, for the tests that kill them."""

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from interlock_hookspecs import Actor, file_digest

DIES_AFTER = Path(__file__).with_name("dies_after.py")
FITS = """

def estimator():
    from pathlib import Path

    from sklearn.tree import DecisionTreeClassifier

    with Path(__file__).with_name("fits").open("a") as fits:
        fits.write("x")
    return DecisionTreeClassifier(max_depth=3)
"""


class Victim:
    """A project whose runs are killed; each run has rows of its own, so nothing is reused."""

    def __init__(self, project, rows):
        self.project = project
        self._rows = rows
        self._last = None
        self.runs = 0
        path = project.folder / "project.py"
        path.write_text(DIES_AFTER.read_text(encoding="utf-8") + FITS, encoding="utf-8")
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


@pytest.fixture(scope="session")
def victim_of(rows):
    """Make a victim of a small project."""
    return lambda project: Victim(project, rows)


@pytest.fixture(scope="session")
def serving_victim(make_project, victim_of):
    """Make a victim in a folder that serves already, and end its servers afterwards."""

    @contextmanager
    def make(folder):
        project = make_project(folder / "small")
        made = victim_of(project)
        made.renew()
        made.survives()
        yield made
        project.close()

    return make


@pytest.fixture(scope="module")
def victim(serving_victim, tmp_path_factory):
    """A project that serves already, so that each run takes its endpoint over."""
    with serving_victim(tmp_path_factory.mktemp("kill")) as made:
        yield made
