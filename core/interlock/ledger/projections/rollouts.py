"""Rollouts: which release takes over which endpoint, and how far it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.ledger.projections.changes import (
    Happened,
    Reducer,
    Writer,
    given,
    json_text,
    listed,
    record_in,
)


def _begun(event: Happened, to: Writer) -> None:
    said, record = event.payload, record_in(event.payload)
    if not record:
        return
    values = {
        **given(said, "stack", "endpoint", "release", "champion"),
        "strategy": record.get("strategy"),
        "status": "open",
        "phase": "entering",
        "step": 0,
        "at": event.at,
        "body": json_text(record),
    }
    listed(to, "rollouts", event, values)


def _entered(event: Happened, to: Writer) -> None:
    values = {
        "phase": "watching",
        "entered_at": event.at,
        "baseline": json_text(event.payload.get("traffic")),
    }
    to.update("rollouts", (event.subject,), values)


def _judged(event: Happened, to: Writer) -> None:
    said = event.payload
    decision, following = said.get("decision"), said.get("to")
    values: dict[str, Any] = {"reason": said.get("reason")}
    if decision == "promote":
        values["phase"] = "finishing" if following is None else "entering"
        if following is not None:
            values["step"] = following
    elif decision == "hold":
        values["phase"] = "holding"
    elif decision == "rollback":
        values["phase"] = "aborting" if said.get("by") == "person" else "leaving"
    to.update("rollouts", (event.subject,), values)


def _ended(event: Happened, to: Writer) -> None:
    values = {
        "status": event.payload.get("outcome"),
        "phase": "ended",
        "ended_at": event.at,
        **given(event.payload, "reason"),
    }
    to.update("rollouts", (event.subject,), values)


REDUCERS: Mapping[str, Reducer] = {
    "rollout.begun": _begun,
    "rollout.entered": _entered,
    "rollout.judged": _judged,
    "rollout.ended": _ended,
}
"""By the kind of the event."""
