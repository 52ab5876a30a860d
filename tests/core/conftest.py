"""What tests of the core share: a folder with a stack file, a ledger with a model's life in it.

That life has at least one event of every kind, and a row in every table.
"""

import sqlite3
from contextlib import closing

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, create_engine, insert, select, text

from interlock.ledger import Entry, Ledger
from interlock.ledger.values import SCHEMA
from interlock_hookspecs import Actor

ANA = Actor(subject="ana")
BEN = Actor(subject="ben", verified="oidc")
MAKER = {"plugin": "validate-metrics", "version": "0.1.0", "settings": "{}"}


def digest(letter):
    return "sha256:" + letter * 64


def entries(project, prefix):
    """A model's life, its ids beginning with a word of their own."""

    def name(kind, number=1):
        return f"{kind}-{prefix}{number:031d}"

    run, release, deployment = name("run"), name("release"), name("deployment")
    check = {"name": "roc_auc", "subject": "", "value": 0.9, "low": None, "high": 1, "n": 10,
             "version": 1, "maker": MAKER, "facts": {"a": 1.5}}  # fmt: skip
    target = {"release": {"id": release}, "weight": 1.0}
    record = {"id": deployment, "endpoint": {"name": "e", "stack": "dev"}, "targets": [target]}
    finding = {"name": "psi", "subject": "AGEP", "status": "alert", "value": 7.6,
               "threshold": 0.1, "n": 100, "maker": MAKER}  # fmt: skip
    approval = {"id": name("approval"), "dossier": digest("d"), "decision": "approve",
                "reason": "small group", "actor": "ben", "verified": "oidc",
                "self_approved": False, "at": "2026-01-01T00:00:00+00:00",
                "expires": None}  # fmt: skip
    made = {"id": release, "run": run, "project": project, "stack": "dev", "endpoint": "e",
            "model": digest("a"), "dossier": digest("d"), "threshold": 0.5, "number": "1",
            "at": "2026-01-01T00:00:00+00:00", "expires": None}  # fmt: skip
    return [
        Entry("run.started", run, {"stack": "dev", "until": "monitor", "pid": 7, "started": 9,
                                   "host": "h", "boot": "b", "inputs": digest("1"),
                                   "policy": {"bounds": []}}),
        Entry("stage.started", name("stage"), {"run": run, "stage": "data",
                                               "inputs": digest("2"), "attempt": 1}),
        Entry("dataset.kept", digest(prefix[0]), {"run": run,
                                                  "record": {"source": "d.csv", "rows": 10}}),
        Entry("checks.measured", run, {"run": run, "phase": "data", "model": None,
                                       "checks": [check, {**check, "name": "nulls"}]}),
        Entry("stage.finished", name("stage"), {"run": run, "stage": "data",
                                                "outputs": {"rows": 10}, "seconds": 1.5}),
        Entry("stage.started", name("stage", 2), {"run": run, "stage": "train"}),
        Entry("stage.failed", name("stage", 2), {"run": run, "stage": "train", "message": "no",
                                                 "seconds": 1}),
        Entry("run.finished", run, {"status": "failed", "message": "no", "exit_code": 1}),
        Entry("run.resumed", run, {"pid": 8, "host": "h", "boot": "b"}),
        Entry("stage.reused", name("stage", 3), {"run": run, "stage": "data", "outputs": {},
                                                 "inputs": digest("2"), "of": name("stage")}),
        Entry("candidate.made", name("candidate"), {"run": run, "model": digest("a"),
                                                    "data": digest("b"),
                                                    "record": {"estimator": "tree",
                                                               "origin": "trained"}}),
        Entry("checks.measured", run, {"run": run, "phase": "data", "checks": [check]}),
        Entry("profiles.built", run, {"run": run, "profiles": [
            {"name": "p", "artifact": {"digest": digest("f")}, "rows": 3, "maker": MAKER}]}),
        Entry("version.intended", name("version"), {"run": run, "name": project,
                                                    "model": digest("a")}),
        Entry("version.registered", name("version"), {"run": run, "name": project, "number": "1",
                                                      "model": digest("a"), "existing": False,
                                                      "record": {"number": "1"}}),
        Entry("version.imported", name("version", 2), {"origin": {"ledger": "x"},
                                                       "record": {"name": "n", "number": "4"}}),
        Entry("run.imported", name("run", 2), {"stack": "prod", "until": "monitor",
                                               "model": digest("a"), "dataset": digest("b"),
                                               "version": name("version", 2), "message": "come",
                                               "origin": {"stack": "dev"}}),
        Entry("stage.imported", name("stage", 4), {"stage": "data", "outputs": {"rows": 1},
                                                   "of": name("stage")}, name("run", 2)),
        Entry("review.held", name("review"), {"run": run, "dossier": digest("d"),
                                              "artifact": {}, "card": None, "outcome": "waiting",
                                              "reasons": ["one"], "verdicts": [
            {"decision": "explain", "subject": "s", "reason": "r", "check": "c",
             "maker": MAKER}]}),
        Entry("approval.given", name("approval"), {"run": run, "record": approval}),
        Entry("release.made", release, {"run": run, "record": made}),
        Entry("alias.moved", name("version"), {"name": project, "alias": "champion",
                                               "version": name("version"), "number": "1",
                                               "model": digest("a"), "previous": None}),
        Entry("deployment.intended", deployment, {"record": record, "release": release,
                                                  "reason": "deploy"}),
        Entry("deployment.applied", deployment, {"record": {**record, "address": "http://x"}}),
        Entry("deployment.targets", deployment, {"targets": [target], "release": release,
                                                 "reason": "rollback"}),
        Entry("rollout.begun", name("rollout"), {"stack": "dev", "endpoint": "e",
                                                 "release": release, "champion": release,
                                                 "record": {"strategy": "canary"}}),
        Entry("rollout.entered", name("rollout"), {"step": 0, "traffic": []}),
        Entry("rollout.judged", name("rollout"), {"step": 0, "decision": "promote", "to": None,
                                                  "by": "analysis", "reason": "r",
                                                  "evidence": []}),
        Entry("rollout.ended", name("rollout"), {"outcome": "promoted", "reason": "r"}),
        Entry("labels.added", name("labels"), {"rows": 4, "record": {"digest": digest("e"),
                                                                     "source": "l.csv"}}),
        Entry("window.monitored", name("window"), {"release": release, "stack": "dev",
                                                   "endpoint": "e", "start": 2017, "end": 2018,
                                                   "key": digest("c"), "rows": 9, "labelled": 4,
                                                   "findings": [finding, finding]}),
        Entry("gate.refused", run, {"run": run, "what": "approve", "reason": "own run"}),
        Entry("run.finished", run, {"status": "done", "message": "done", "exit_code": 0}),
        Entry("release.revoked", release, {"reason": "drift"}),
        Entry("deployment.removed", deployment, {"reason": "undeploy"}),
    ]  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Write files below a folder, by name; gives the project's folder."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path / "project"

    return write


@pytest.fixture(scope="session")
def life():
    """The entries of a model's life: of a project, ids beginning with a letter."""
    return entries


@pytest.fixture(scope="session")
def live():
    """Write a model's life to a ledger."""

    def write(ledger, project="employment", prefix="a"):
        return ledger.append_all(project, entries(project, prefix))

    return write


def migrate(connection, revision):
    """Take a database to a revision as Alembic does, from nothing or from where it is."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "interlock.ledger:migrations")
    config.set_main_option("path_separator", "os")
    command.upgrade(config, revision)


@pytest.fixture(scope="session")
def migrated():
    """Take a connection's database to a revision."""
    return migrate


@pytest.fixture
def older(tmp_path, live):
    """Make a ledger as an older version would have, in an empty database, with two lives in it.

    The rows are those of a ledger of today, in the tables and columns that the revision has.
    """

    def make(url, revision):
        source = f"sqlite:///{tmp_path}/today.db"
        with Ledger.open(source, actor=ANA) as ledger:
            live(ledger)
            live(ledger, "housing", "b")
        today, target = create_engine(source), create_engine(url)
        with today.connect() as taken, target.begin() as connection:
            if target.dialect.name == "postgresql":
                connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
                connection.execute(text(f"SET search_path TO {SCHEMA}"))
            migrate(connection, revision)
            there = MetaData()
            there.reflect(connection)
            for table in there.sorted_tables:
                if table.name != "alembic_version":
                    rows = [dict(row) for row in taken.execute(select(table)).mappings()]
                    connection.execute(insert(table), rows)
        for engine in (today, target):
            engine.dispose()

    return make


@pytest.fixture
def url(postgresql):
    """The address of a PostgreSQL database without a ledger."""
    with closing(psycopg.connect(postgresql.address, autocommit=True)) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return postgresql.address


@pytest.fixture(scope="session")
def unguard():
    """Drop the triggers of a SQLite ledger, as somebody does who has the file."""

    def drop(path):
        with closing(sqlite3.connect(path)) as connection:
            named = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for (name,) in connection.execute(named).fetchall():
                connection.execute(f"DROP TRIGGER {name}")
            connection.commit()

    return drop


@pytest.fixture
def open_ledger(tmp_path):
    """Open the ledger of this test, again and again, and close it in the end."""
    opened = []

    def open_it(**options):
        url = f"sqlite:///{tmp_path}/ledger.db"
        opened.append(Ledger.open(url, actor=options.pop("actor", ANA), **options))
        return opened[-1]

    yield open_it
    for ledger in opened:
        ledger.close()
