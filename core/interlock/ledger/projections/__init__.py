"""What an event changes in the tables that follow from it.

One definition, used twice: an append makes the changes in its own transaction, a verification
replays them and compares. So a reducer sees the event and nothing else, and it takes the payload
as it was stored. An event whose payload was erased is reduced with an empty one: what it ended or
revoked stays so, what it said is gone.
"""

from __future__ import annotations

from collections.abc import Mapping

from interlock.ledger.projections import governance, rollouts, runs, serving
from interlock.ledger.projections.changes import Happened, Key, Reducer, Values, Writer

__all__ = ["REDUCERS", "Happened", "Key", "Values", "Writer", "reduce"]

REDUCERS: Mapping[str, Reducer] = {
    **runs.REDUCERS,
    **governance.REDUCERS,
    **serving.REDUCERS,
    **rollouts.REDUCERS,
}
"""By the kind of the event; a kind that is not here changes nothing."""


def reduce(event: Happened, to: Writer) -> None:
    """Tell a writer what an event changes.

    Raises:
        TypeError: a value of the payload has another type than its column.
    """
    reducer = REDUCERS.get(event.kind)
    if reducer is not None:
        reducer(event, to)
