"""The policies that bind a project: what once was included is not left out again by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.session import Session


def binding_policies(session: Session) -> list[str]:
    """The policies that bind a new run: those its stack file includes, and those of before.

    Each run hands them on to the next: a project does not get rid of a policy by leaving it out,
    and its owner does by emptying the file, which is included still.
    """
    # The latest of all stacks: a file's includes hold for each of them.
    latest = session.ledger.reads.runs(project=session.project, limit=1)
    before = _binding(latest[0]) if latest else []
    left_out = {entry for entry in before if entry not in session.stack.includes}
    return sorted({*left_out, *session.stack.policies})


def dropped_policies(session: Session, run_id: str) -> tuple[str, ...]:
    """The policies that bind a run and that the stack file no longer includes, a sentence each."""
    run = session.ledger.reads.run(run_id)
    return tuple(
        f"the policy of {entry!r} binds this project, and {session.stack.file.name} no longer "
        "includes it: include it again (whoever owns it withdraws it by emptying it)"
        for entry in (_binding(run) if run else [])
        if entry not in session.stack.includes
    )


def _binding(run: Mapping[str, Any]) -> list[str]:
    return list(run["body"].get("policies", ()))
