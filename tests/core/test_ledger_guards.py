"""A SQLite ledger refuses, by itself, what no chain ever needs."""

import sqlite3
from contextlib import closing

import pytest

from interlock.ledger import verify

TOMBSTONE = "UPDATE payloads SET salt = NULL, body = NULL, erased_at = {at}, reason = 'asked'"


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("UPDATE events SET kind = 'x' WHERE sequence = 3", "UPDATE of events"),
        ("DELETE FROM events WHERE sequence = 3", "DELETE of events"),
        ("DELETE FROM payloads WHERE sequence = 3", "DELETE of payloads"),
        ("UPDATE payloads SET body = x'7b7d' WHERE sequence = 3", "UPDATE of payloads"),
        (TOMBSTONE.format(at="'2026-01-01'") + " WHERE sequence = 3", "UPDATE of payloads"),
        (TOMBSTONE.format(at="NULL") + " WHERE sequence = 3", "UPDATE of payloads"),
        ("UPDATE payloads SET reason = 'x' WHERE erased_at IS NOT NULL", "UPDATE of payloads"),
        ("UPDATE heads SET sequence = 2", "UPDATE of heads"),
        ("UPDATE heads SET digest = 'x'", "UPDATE of heads"),
        ("DELETE FROM heads", "DELETE of heads"),
    ],
)
def test_what_happened_is_not_changed_by_hand(open_ledger, live, tmp_path, statement, refused):
    """Not an event, not a payload, not a head; and a tombstone only after an erasure on record."""
    ledger = open_ledger()
    ledger.erase(live(ledger)[4].id, reason="asked")
    with (
        closing(sqlite3.connect(tmp_path / "ledger.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match=f"the ledger refuses {refused}"),
    ):
        connection.execute(statement)
    assert verify(ledger).ok
