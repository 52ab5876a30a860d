"""Against a checkpoint kept outside shows what a chain alone cannot show."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing

import orjson
import pytest

from interlock.errors import LedgerError, Tampered
from interlock.ledger import head, read_checkpoint, verify, verify_checkpoint, write_checkpoint


@pytest.fixture
def keys():
    """An Ed25519 key pair in PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    return (
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


@pytest.fixture
def anchored(open_ledger, live, unguard, tmp_path):
    """A closed ledger that nothing guards any more, and a checkpoint of it in another folder."""
    ledger = open_ledger()
    live(ledger)
    point = tmp_path / "outside" / "checkpoint.json"
    write_checkpoint(ledger, point)
    ledger.close()
    unguard(tmp_path / "ledger.db")
    return tmp_path / "ledger.db", point


def run(path, *statements):
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def rechain(path):
    """Hash every header anew, each over the one before it, as somebody with write access can."""
    with closing(sqlite3.connect(path)) as connection:
        previous = None
        for rowid, header in connection.execute(
            "SELECT rowid, header FROM events ORDER BY sequence"
        ).fetchall():
            said = json.loads(header)
            said["previous"] = previous or said["previous"]
            new = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
            previous = "sha256:" + hashlib.sha256(new).hexdigest()
            connection.execute(
                "UPDATE events SET header = ?, digest = ? WHERE rowid = ?", (new, previous, rowid)
            )
        connection.execute("UPDATE heads SET digest = ?", (previous,))
        connection.commit()


def cut(path):
    """Remove the last two events and what they made, and move the head back."""
    with closing(sqlite3.connect(path)) as connection:
        (last,) = connection.execute("SELECT max(sequence) - 2 FROM events").fetchone()
        for table in ("events", "payloads"):
            connection.execute(f"DELETE FROM {table} WHERE sequence > ?", (last,))
        connection.execute(
            "UPDATE heads SET (sequence, digest) = "
            "(SELECT sequence, digest FROM events WHERE sequence = ?)",
            (last,),
        )
        connection.execute("DELETE FROM releases")
        connection.execute("DELETE FROM deployments")
        connection.commit()


def test_a_ledger_that_goes_on_extends_its_checkpoint(open_ledger, live, anchored):
    """Later events, and another project's, are an extension."""
    ledger = open_ledger()
    live(ledger, "employment", "b")
    live(ledger, "housing", "c")
    report = verify_checkpoint(ledger, anchored[1])
    assert (report.ok, report.anchored, report.signed) == (True, True, False)
    assert report.sentence.startswith("consistent, extends a checkpoint")


def test_a_head_is_where_each_chain_ends(open_ledger, live):
    """The last event's sequence and digest, by project."""
    ledger = open_ledger()
    last = live(ledger)[-1]
    found = head(ledger)
    assert found.ledger == ledger.id
    assert found.heads["employment"].digest == last.digest
    assert found.heads["employment"].sequence == last.sequence


def test_a_chain_rewritten_whole_shows(open_ledger, anchored):
    """Who appears in it was changed, and every digest made anew: consistent, but not the same."""
    path, point = anchored
    change = "replace(%s, 'ana', 'eve')"
    header = f"CAST({change % 'CAST(header AS TEXT)'} AS BLOB)"
    run(path, f"UPDATE events SET header = {header}, actor = {change % 'actor'}",
        f"UPDATE runs SET actor = {change % 'actor'}",
        f"UPDATE releases SET revoked_by = {change % 'revoked_by'}")  # fmt: skip
    rechain(path)
    ledger = open_ledger()
    assert verify(ledger).sentence == "consistent, not anchored"
    first = verify_checkpoint(ledger, point).problems[0]
    assert (first.table, first.key) == ("checkpoint", "digest")


def test_a_cut_tail_shows(open_ledger, anchored):
    """The last events are gone, the head moved back."""
    path, point = anchored
    cut(path)
    problems = verify_checkpoint(open_ledger(), point).problems
    assert any(problem.table == "checkpoint" for problem in problems)


def test_a_restored_older_copy_shows(open_ledger, live, anchored, tmp_path):
    """A copy from before the last checkpoint is consistent and too short."""
    path, point = anchored
    shutil.copy(path, tmp_path / "copy.db")
    ledger = open_ledger()
    live(ledger, "employment", "b")
    write_checkpoint(ledger, point)
    ledger.close()
    shutil.copy(tmp_path / "copy.db", path)
    again = open_ledger()
    assert verify(again).ok
    (problem,) = verify_checkpoint(again, point).problems
    assert (problem.table, problem.key) == ("checkpoint", "sequence")


def test_an_emptied_ledger_shows(open_ledger, anchored):
    """Every row of every table is gone but the ledger's id."""
    path, point = anchored
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]  # fmt: skip
    run(path, *(f"DELETE FROM {name}" for name in names if name not in ("meta", "alembic_version")))
    ledger = open_ledger()
    assert verify(ledger).ok
    assert not verify_checkpoint(ledger, point).ok


def test_a_new_ledger_in_the_place_of_the_old_shows(open_ledger, anchored):
    """The file was deleted, and opening made another."""
    path, point = anchored
    path.unlink()
    problems = verify_checkpoint(open_ledger(), point).problems
    assert problems[0].key == "ledger"


def test_a_signed_checkpoint_is_checked(open_ledger, live, tmp_path, keys):
    """With the public key the report says that it was."""
    ledger, point = open_ledger(), tmp_path / "checkpoint.json"
    live(ledger)
    write_checkpoint(ledger, point, keys[0])
    report = verify_checkpoint(ledger, point, keys[1])
    assert (report.ok, report.signed) == (True, True)


def test_a_changed_checkpoint_is_refused(open_ledger, live, tmp_path, keys):
    """One digit of it."""
    ledger, point = open_ledger(), tmp_path / "checkpoint.json"
    last = len(live(ledger))
    write_checkpoint(ledger, point, keys[0])
    said = point.read_text()
    point.write_text(said.replace(f'"sequence":{last}', f'"sequence":{last - 1}'))
    assert point.read_text() != said
    with pytest.raises(Tampered, match="not signed by this key"):
        read_checkpoint(point, keys[1])


def test_an_unsigned_checkpoint_is_refused_where_a_key_is_given(open_ledger, tmp_path, keys):
    """Leaving the signature out is no way around it."""
    write_checkpoint(open_ledger(), tmp_path / "checkpoint.json")
    with pytest.raises(Tampered, match="is not signed"):
        read_checkpoint(tmp_path / "checkpoint.json", keys[1])


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1}', '{"version": 1, "heads": []}'])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    """With one line that says so."""
    (tmp_path / "checkpoint.json").write_text(content)
    with pytest.raises(LedgerError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.json")


def test_a_key_of_another_kind_is_refused(open_ledger, tmp_path):
    """Not a PEM at all."""
    with pytest.raises(LedgerError, match="no unencrypted private key"):
        write_checkpoint(open_ledger(), tmp_path / "checkpoint.json", b"hunter2")
