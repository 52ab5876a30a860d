"""A payload can be erased; its chain still verifies, and what it opened is shut."""

import sqlite3
from contextlib import closing

import pytest

from interlock.errors import LedgerError
from interlock.ledger import verify


def event_of(ledger, kind):
    return ledger.reads.events("employment", kind=kind)[0]["id"]


def test_an_erased_payload_is_reported_erased_not_tampered(open_ledger, live):
    """The tombstone says when and why; an event says who."""
    ledger = open_ledger()
    live(ledger)
    target = event_of(ledger, "approval.given")
    told = ledger.erase(target, reason="asked by ben")
    assert (told.kind, told.subject) == ("payload.erased", target)
    assert ledger.reads.event(target)["payload"] is None
    report = verify(ledger)
    assert (report.problems, report.erased) == ((), (target,))


def test_what_an_erased_event_made_is_gone_and_what_it_ended_stays(open_ledger, live):
    """An erased approval counts for nothing; an erased revocation still revokes."""
    ledger = open_ledger()
    live(ledger)
    ledger.erase(event_of(ledger, "approval.given"), reason="asked")
    ledger.erase(event_of(ledger, "release.revoked"), reason="asked")
    assert ledger.reads.approvals("employment") == []
    (release,) = ledger.reads.releases("employment")
    assert (release["revoked_at"] is None, release["revoked_reason"]) == (False, None)
    ledger.erase(event_of(ledger, "release.made"), reason="asked")
    assert ledger.reads.releases("employment") == []
    assert verify(ledger).ok


def test_every_kind_of_event_can_be_erased(open_ledger, live):
    """Whatever goes, the guards let it, and the rest verifies."""
    ledger = open_ledger()
    told = live(ledger)
    for written in told:
        ledger.erase(written.id, reason="asked")
    assert verify(ledger).problems == ()
    assert len(verify(ledger).erased) == len(told)


def test_nothing_of_an_erased_payload_is_left_in_the_file(open_ledger, tmp_path):
    """Not in free pages, not in the journal."""
    ledger = open_ledger()
    ledger.append("employment", "run.cancelled", "run-1", {"message": "quietly-planted-words"})
    ledger.append("employment", "run.started", "run-2", {"stack": "quietly-planted-words"})
    for kind in ("run.cancelled", "run.started"):
        ledger.erase(event_of(ledger, kind), reason="asked")
    for path in tmp_path.iterdir():
        assert b"quietly-planted" not in path.read_bytes(), path


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payloads SET salt = NULL, body = NULL, erased_at = 'x' WHERE rowid = 3",
        "UPDATE payloads SET reason = 'another' WHERE erased_at IS NOT NULL",
        "UPDATE payloads SET erased_at = '2001' WHERE erased_at IS NOT NULL",
        "UPDATE payloads SET body = x'7b7d' WHERE erased_at IS NOT NULL",
    ],
)
def test_a_tombstone_that_no_event_tells_of_is_tampering(
    open_ledger, live, unguard, tmp_path, change
):
    """Planting one hides nothing, and changing a true one shows."""
    ledger = open_ledger()
    live(ledger)
    ledger.erase(event_of(ledger, "approval.given"), reason="asked")
    unguard(tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute(change)
        connection.commit()
    assert verify(ledger).problems[0].table == "payloads"


def test_what_cannot_be_erased_is_refused(open_ledger, live):
    """An unknown event, one erased before, one that tells of an erasure, no reason."""
    ledger = open_ledger()
    target = live(ledger)[0].id
    with pytest.raises(LedgerError, match="there is no event"):
        ledger.erase("event-none", reason="asked")
    with pytest.raises(LedgerError, match="needs a reason"):
        ledger.erase(target, reason=" ")
    told = ledger.erase(target, reason="asked")
    with pytest.raises(LedgerError, match="was erased at"):
        ledger.erase(target, reason="asked")
    with pytest.raises(LedgerError, match="it stays"):
        ledger.erase(told.id, reason="asked")
