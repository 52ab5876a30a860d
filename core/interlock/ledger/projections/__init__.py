"""What an event changes in the tables that follow from it.

One definition, used twice: an append applies the changes in its own transaction, a verification
replays them and compares. So a reducer sees the event and nothing else, and it takes the payload
as it was stored. An event whose payload was erased is reduced with an empty one: what it ended or
revoked stays so, what it said is gone.
"""

from __future__ import annotations

from interlock.ledger.projections import governance, runs, serving
from interlock.ledger.projections.changes import Change, Happened, Replace, Update, Upsert

__all__ = ["Change", "Happened", "Replace", "Update", "Upsert", "changes"]

_REDUCERS = {**runs.REDUCERS, **governance.REDUCERS, **serving.REDUCERS}


def changes(event: Happened) -> tuple[Change, ...]:
    """The changes that an event makes; none for a kind that is only an event.

    Raises:
        TypeError: a value of the payload has another type than its column.
    """
    reduce = _REDUCERS.get(event.kind)
    return reduce(event) if reduce else ()
