"""The ledger: what happened, kept by core, whatever backends come and go.

Events are the truth. Each project has one chain of them, every event's digest covering its stored
bytes and the digest before it. All other tables are projections that `verify` recomputes.

Importing this package costs nothing: the database libraries come with `Ledger.open`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.lazy import lazy_names

if TYPE_CHECKING:
    from interlock.ledger.checkpoint import Checkpoint, head, read_checkpoint, write_checkpoint
    from interlock.ledger.entries import Entry
    from interlock.ledger.migrate import upgrade
    from interlock.ledger.queries import Reads
    from interlock.ledger.reports import Problem, Report
    from interlock.ledger.store import Ledger
    from interlock.ledger.verification import verify, verify_checkpoint

_HOMES = {
    "Checkpoint": "checkpoint",
    "Entry": "entries",
    "Ledger": "store",
    "Problem": "reports",
    "Reads": "queries",
    "Report": "reports",
    "head": "checkpoint",
    "read_checkpoint": "checkpoint",
    "upgrade": "migrate",
    "verify": "verification",
    "verify_checkpoint": "verification",
    "write_checkpoint": "checkpoint",
}

__all__ = [
    "Checkpoint",
    "Entry",
    "Ledger",
    "Problem",
    "Reads",
    "Report",
    "head",
    "read_checkpoint",
    "upgrade",
    "verify",
    "verify_checkpoint",
    "write_checkpoint",
]

__getattr__ = lazy_names(__name__, _HOMES)
