"""A ledger in a file reads the same with SQLAlchemy and without it."""

import json
import sqlite3
from contextlib import closing

import pytest

from interlock.errors import LedgerError
from interlock.ledger.file_reads import FileReads
from interlock.ledger.values import REVISION


def ids(reads, table):
    return [row["id"] for row in reads.listing(table, "employment", limit=None)]


def where(reads):
    """The endpoint that something was deployed to."""
    deployed = reads.listing("deployments", "employment")[0]
    return deployed["project"], deployed["stack"], deployed["endpoint"]


def everything(reads):
    """What a server may ask, and more of each question than it asks."""
    name = where(reads)
    tables = ("runs", "reviews", "approvals", "releases", "deployments", "rollouts", "findings")
    runs, deployments = ids(reads, "runs"), ids(reads, "deployments")
    yield from (reads.listing(table, project) for table in tables for project in (None, name[0]))
    yield from (reads.listing(table, name[0], limit=1) for table in tables)
    yield reads.listing("releases", name[0], stack=name[1], endpoint=None)
    for table in tables:
        yield from (reads.one(table, each) for each in (*ids(reads, table), "nothing"))
    yield from (reads.stages(run) for run in (*runs, "nothing"))
    yield from (reads.deployment(each) for each in (*deployments, "nothing"))
    yield from (reads.endpoint_deployment(*name), reads.endpoint_deployment("x", *name[1:]))
    yield from (reads.champion(*name), reads.open_rollout(*name), reads.endpoint_history(*name))
    yield from (reads.reviews(name[0], run=run, outcome="released", limit=1) for run in runs)
    yield from (reads.approvals(name[0], run=run, limit=None) for run in runs)
    for run in reads.listing("runs", name[0]):
        yield reads.runs_of(name[0], model=str(run["model"]), stack=run["stack"])
    yield from (reads.events(name[0], **said) for said in ({}, {"limit": 2}, {"limit": None}))
    for subject in (*runs, *deployments):
        yield reads.events(name[0], subject=subject, after=0, limit=None)
        yield reads.events(name[0], subject=subject, after=4, limit=2)
        yield reads.events(name[0], subject=subject)


def light(ledger):
    reads = FileReads.open(ledger.url.render_as_string(hide_password=False))
    assert reads is not None
    return reads


def test_each_question_has_the_same_answer(open_ledger, live):
    """Row for row, column for column, type for type; an erased payload and another project too."""
    ledger = open_ledger()
    written = live(ledger)
    live(ledger, "other", "b")
    erased = next(event for event in written if event.kind == "run.started")
    ledger.erase(erased.id, reason="a name was in it")
    ours, theirs = list(everything(light(ledger))), list(everything(ledger.reads))
    assert json.dumps(ours, default=dict) == json.dumps(theirs, default=dict)
    assert sum(bool(answer) for answer in ours) > 40


def test_the_champion_is_the_same(open_ledger, life):
    """As long as it is live."""
    ledger = open_ledger()
    for entry in life("employment", "a"):
        if entry.kind == "deployment.removed":
            break
        ledger.append("employment", entry.kind, entry.subject, entry.payload, run=entry.run)
    reads = light(ledger)
    champion = reads.champion(*where(reads))
    assert champion is not None
    assert champion == ledger.reads.champion(*where(reads))


def test_what_is_written_later_is_read(open_ledger, life):
    """One connection stays open, and no transaction."""
    ledger = open_ledger()
    first, *others = life("employment", "a")
    ledger.append("employment", first.kind, first.subject, first.payload, run=first.run)
    reads = light(ledger)
    assert len(reads.events("employment", limit=None)) == 1
    ledger.append_all("employment", others)
    assert reads.events("employment", limit=None) == ledger.reads.events("employment", limit=None)


def test_each_question_goes_through_an_index(open_ledger, live, monkeypatch):
    """A server asks ten times a second, whatever the ledger has grown to."""
    ledger, asked = open_ledger(), []
    live(ledger)
    reads = light(ledger)
    put = reads._rows

    def noted(statement, values):
        asked.append((statement, values))
        return put(statement, values)

    monkeypatch.setattr(reads, "_rows", noted)
    release, deployment = (ids(reads, table)[0] for table in ("releases", "deployments"))
    assert reads.release(release)
    assert reads.deployment(deployment)
    assert reads.stages("run-1") is not None
    name = where(reads)
    assert reads.endpoint_history(*name)
    reads.champion(*name)
    reads.open_rollout(*name)
    reads.runs_of("employment", model="sha256:1", stack=name[1])
    reads.reviews("employment", run="run-1", dossier="sha256:1", outcome="released", limit=1)
    reads.approvals("employment", dossier="sha256:1", limit=None)
    for statement, values in asked:
        plan = [row["detail"] for row in put(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert all("USING" in step and "INDEX" in step for step in plan), (statement, plan)
        assert not any("TEMP B-TREE" in step for step in plan), (statement, plan)


def test_a_column_that_there_is_not_is_no_text(open_ledger):
    """SQLite takes a quoted name that it does not know for a text: nothing would be found."""
    with pytest.raises(LedgerError, match="no such column"):
        light(open_ledger()).listing("releases", "employment", releases="x")


def test_another_ledger_is_left_to_be_opened_as_a_whole(open_ledger, tmp_path):
    """Of another version, not there, no ledger, no file, or with more in its address than that."""
    ledger = open_ledger()
    url = ledger.url.render_as_string(hide_password=False)
    ledger.close()
    assert FileReads.open(url)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    assert REVISION != "0003"
    (tmp_path / "no.db").write_bytes(b"no ledger")
    others = (f"sqlite:///{tmp_path}/no.db", f"sqlite:///{tmp_path}/none.db", "postgresql://h/db")
    assert [FileReads.open(one) for one in (url, f"{url}?timeout=3", *others)] == [None] * 5
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_cannot_be_read_is_said(open_ledger, tmp_path):
    """In the words in which an opened ledger says it; and it is tried again."""
    reads = light(open_ledger())
    reads.close()
    (tmp_path / "ledger.db").rename(tmp_path / "away.db")
    with pytest.raises(LedgerError, match=r"ledger.db cannot be read: unable to open"):
        reads.release("release-1")
    assert not (tmp_path / "ledger.db").exists()
    (tmp_path / "away.db").rename(tmp_path / "ledger.db")
    assert reads.release("release-1") is None


@pytest.mark.parametrize("reads_of", [light, lambda ledger: ledger.reads], ids=["light", "whole"])
def test_a_file_in_the_place_of_another_is_read(open_ledger, tmp_path, life, reads_of):
    """Whoever restores a copy, or takes the file away, is heard by a server that has it open."""
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    first, second = open_ledger(), sqlite3.connect(copy)
    first.append_all("employment", life("employment", "a"))
    reads = reads_of(first)
    count = len(reads.events("employment", limit=None))
    with closing(second), closing(sqlite3.connect(path)) as whole:
        whole.backup(second)
    path.rename(tmp_path / "away.db")
    with pytest.raises(LedgerError, match=r"ledger.db cannot be read: unable to open"):
        reads.events("employment")
    assert not path.exists()
    for more in ("-wal", "-shm"):
        (tmp_path / f"ledger.db{more}").unlink(missing_ok=True)
    copy.rename(path)
    assert len(reads.events("employment", limit=None)) == count
    other = open_ledger()
    other.append("employment", "gate.refused", "run-1", {"what": "x", "reason": "y"})
    assert len(reads.events("employment", limit=None)) == count + 1
    other.close()
    first.close()
