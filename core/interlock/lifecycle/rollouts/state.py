"""A rollout as the ledger has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode
from interlock.errors import UsageError
from interlock.lifecycle.rollouts.steps import Step, steps_of
from interlock.stack.rollout import RolloutPlan
from interlock_hookspecs import Traffic

if TYPE_CHECKING:
    from interlock.ledger import Reads
    from interlock.session import Session

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Rollout:
    """A release on its way to an endpoint.

    Attributes:
        id: of the record in the ledger.
        release, champion: what is to take over, and from what.
        plan: as it was when the rollout began.
        phase: ``entering`` a step, ``watching`` it, ``holding`` for a person, ``leaving`` for the
            champion, ``aborting`` where a person said so, ``finishing``, or ``ended``.
        status: ``open``, or how it ended: ``promoted``, ``rolled-back``, ``aborted``,
            ``superseded``.
        at: which step, from 0.
        entered: when the endpoint came to serve it.
        baseline: what each release had been asked then.
        reason: of the last decision.
        sequence: of the event that wrote this last.
    """

    id: str
    release: str
    champion: str
    plan: RolloutPlan
    phase: str
    status: str
    at: int
    entered: datetime
    baseline: tuple[Traffic, ...]
    reason: str
    sequence: int

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of its steps."""
        return steps_of(self.plan)

    @property
    def step(self) -> Step:
        """Where it is."""
        return self.steps[self.at]

    @property
    def last(self) -> bool:
        """Whether nothing is watched after this step."""
        return self.at + 1 >= len(self.steps)

    @property
    def text(self) -> str:
        """Where it is, in words."""
        return f"step {self.at + 1} of {len(self.steps)}: {self.step.text}"


def rollout_of(row: Mapping[str, Any]) -> Rollout:
    """A row of the ledger as a rollout."""
    entered = row["entered_at"]
    return Rollout(
        id=row["id"],
        release=row["release"],
        champion=row["champion"],
        plan=decode(RolloutPlan, row["body"]),
        phase=row["phase"],
        status=row["status"],
        at=row["step"],
        entered=datetime.fromisoformat(entered) if entered else _NEVER,
        baseline=decode(tuple[Traffic, ...], row["baseline"] or []),
        reason=row["reason"] or "",
        sequence=row["sequence"],
    )


def open_rollout(session: Session) -> Rollout | None:
    """What is being rolled out at this stack's endpoint; None where nothing is."""
    stack = session.stack
    row = session.ledger.reads.open_rollout(session.project, stack.name, stack.endpoint)
    return rollout_of(row) if row else None


def last_rollout(session: Session) -> Rollout | None:
    """How it is with what was rolled out last at this stack's endpoint.

    None where nothing was, or where something else went live there since.
    """
    reads, stack = session.ledger.reads, session.stack
    rows = reads.rollouts(session.project, stack=stack.name, endpoint=stack.endpoint, limit=1)
    if not rows:
        return None
    rollout = rollout_of(rows[0])
    since = reads.endpoint_history(
        session.project, stack.name, stack.endpoint, after=rollout.sequence
    )
    return rollout if rollout.status == "open" or not since else None


class Moved(UsageError):  # noqa: N818  (read as a sentence)
    """Another process moved the rollout meanwhile."""


def unmoved(rollout: Rollout) -> Callable[[Reads], None]:
    """A guard of an append: that nobody has moved the rollout since it was read."""

    def check(reads: Reads) -> None:
        row = reads.rollout(rollout.id)
        if row is None or row["sequence"] != rollout.sequence:
            msg = "the rollout was moved by another process meanwhile"
            raise Moved(msg, hint="interlock rollout status")

    return check
