"""Tasks compared: what was measured on one question is no evidence for another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock.codec import encode
from interlock.errors import UsageError

if TYPE_CHECKING:
    from interlock.session import Session

_ELSEWHERE = frozenset({"dataset", "min_group"})
"""Where the rows lie, and what the policy says: neither is part of the question."""


def refuse_other_task(session: Session, run: Mapping[str, Any]) -> None:
    """Refuse a run that was promoted here where this stack's task is not the one of its evidence.

    Args:
        session: the stack that it is in, or comes to.
        run: the body of the run.

    Raises:
        UsageError: naming each key of the task that differs.
    """
    theirs, ours = run["task"] or {}, encode(session.stack.task) or {}
    keys = sorted(key for key in {*theirs, *ours} - _ELSEWHERE if theirs.get(key) != ours.get(key))
    if keys:
        msg = f"[task] of {session.stack.file.name} is not what was measured: {', '.join(keys)}"
        raise UsageError(msg, hint="interlock run measures it anew, for this task")
