"""The same rows, answered by both releases.

Where the new release is mirrored both have answered: their captures are joined. Where requests
are split only one has, and the champion's model is asked here, after the fact and off the path of
any request, about the rows that the new release answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode
from interlock.lifecycle.releases import served_model
from interlock.lifecycle.windows import named_as_sent
from interlock_hookspecs import PREDICTION, PluginError, Release, decide

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.lifecycle.rollouts.state import Rollout
    from interlock.session import Session

_MOST = 10_000
"""Rows that are compared, the latest."""


@attrs.frozen(kw_only=True, eq=False)
class Pairs:
    """Answers of both releases to the same rows.

    Attributes:
        n: how many rows.
        mine, champions: their answers, row by row; None where there are none.
        reason: why there are none.
    """

    n: int = 0
    mine: pa.Table | None = None
    champions: pa.Table | None = None
    reason: str = ""

    @property
    def decides(self) -> bool:
        """Whether predictions are classes, which agree or do not."""
        import pyarrow as pa

        if self.mine is None:
            return False
        return not pa.types.is_floating(self.mine[PREDICTION].type)

    def agreeing(self) -> int:
        """On how many rows both decide the same."""
        if self.mine is None or self.champions is None:
            return 0
        sides = (self.mine[PREDICTION].to_pylist(), self.champions[PREDICTION].to_pylist())
        return sum(a == b for a, b in zip(*sides, strict=True))

    def numbers(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """One output of both, where both give it as numbers."""
        import pyarrow as pa

        found = []
        for side in (self.mine, self.champions):
            if side is None or name not in side.column_names:
                return None
            column = side[name]
            if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
                return None
            found.append(column.cast(pa.float64()).to_numpy())
        return found[0], found[1]


def pairs_of(
    session: Session, workspace: CoreWorkspace, rollout: Rollout, captures: pa.Table
) -> Pairs:
    """The latest rows of a step that both releases answered."""
    import pyarrow.compute as pc

    mine = captures.filter(pc.equal(captures["release"], rollout.release))
    mine = mine.filter(pc.equal(mine["mirror"], rollout.step.mirror))
    if not mine.num_rows:
        return Pairs(reason="it answered no row that was captured")
    if rollout.step.mirror:
        champions = captures.filter(pc.equal(captures["release"], rollout.champion))
        return _joined(mine, champions.filter(pc.invert(champions["mirror"])))
    mine = mine.slice(max(0, mine.num_rows - _MOST))
    row = session.ledger.reads.release(rollout.champion)
    if row is None:
        return Pairs(reason="the ledger has no champion to compare with")
    return _asked(session, workspace, decode(Release, row["body"]), mine)


def _joined(mine: pa.Table, champions: pa.Table) -> Pairs:
    """Rows of one request, by its id and their place in it; an id that came twice is left out."""
    there = _unique(champions)
    here = _unique(mine)
    places = [(place, there[key]) for key, place in here.items() if key in there][-_MOST:]
    if not places:
        return Pairs(reason="no request was answered by both")
    left, right = zip(*places, strict=True)
    return Pairs(n=len(places), mine=mine.take(list(left)), champions=champions.take(list(right)))


def _unique(captures: pa.Table) -> dict[tuple[str, int], int]:
    keys = zip(captures["request_id"].to_pylist(), captures["row"].to_pylist(), strict=True)
    found: dict[tuple[str, int], int] = {}
    twice = set()
    for place, key in enumerate(keys):
        if key in found:
            twice.add(key)
        found[key] = place
    return {key: place for key, place in found.items() if key not in twice}


def _asked(session: Session, workspace: CoreWorkspace, champion: Release, mine: pa.Table) -> Pairs:
    """Ask the champion's model about rows that it did not answer."""
    import pyarrow as pa

    rows = named_as_sent(mine)
    predictor = workspace.open_model(served_model(session, champion))
    columns: dict[str, Any] = {}
    for field in predictor.signature.inputs:
        # A column that only the champion's captures have is there, and empty.
        there = field.name in rows.column_names
        if not there or rows[field.name].null_count == rows.num_rows:
            return Pairs(reason=f"the rows lack {field.name!r}, which the champion takes")
        columns[field.name] = rows[field.name]
    try:
        given = predictor.predict(_as_taken(pa.table(columns), predictor.signature))
        answers = decide(given, predictor.signature, champion.threshold)
    except (PluginError, pa.ArrowException) as error:
        return Pairs(reason=f"the champion does not answer these rows: {type(error).__name__}")
    return Pairs(n=mine.num_rows, mine=mine, champions=answers)


def _as_taken(rows: pa.Table, signature: Any) -> pa.Table:
    """Columns in the types of a model that another one's server read them for."""
    import pyarrow as pa

    kinds = {field.name: field.type for field in signature.inputs}
    columns = {}
    for name in rows.column_names:
        try:
            kind = pa.type_for_alias(kinds[name])
        except ValueError:
            columns[name] = rows[name]
            continue
        columns[name] = rows[name].cast(kind)
    return pa.table(columns)
