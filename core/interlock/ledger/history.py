"""What was live at an endpoint: read from the events, which say more than the row of today."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlock.ledger.values import Row

Events = Callable[[str, int], Iterable["Row"]]
"""Gives the events of a subject that come after a sequence, in order."""


def lived(deployments: Iterable[Row], events: Events, *, after: int = 0) -> list[Row]:
    """Each time that a release went live at an endpoint, oldest first.

    A change of targets is live when it is written, for the server follows the ledger; a
    deployment that was intended is live when it was applied, and not where it failed. A server that
    takes up what is live, from a terminal, and a step of a rollout that leaves the release in its
    place are no lines of their own.

    Args:
        deployments: of the endpoint.
        events: where theirs are read.
        after: only what went live after this sequence; nothing before it is read.
    """
    found = [
        line
        for deployment in deployments
        if deployment["sequence"] > after
        for line in _lines(deployment["id"], events, after)
    ]
    kept: list[Row] = []
    for line in sorted(found, key=lambda line: line["sequence"]):
        stays = kept and kept[-1]["release"] == line["release"]
        if not (stays and line["reason"] == "rollout"):
            kept.append(line)
    return kept


def _lines(deployment: str, events: Events, after: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    intended: dict[str, Any] = {}
    for event in events(deployment, after):
        said = event["payload"] or {}
        if event["kind"] == "deployment.intended":
            intended = said
        elif event["kind"] == "deployment.applied" and intended:
            found.append(_line(event, intended))
            intended = {}
        elif event["kind"] == "deployment.applied" and after:
            # What came true may have been intended before.
            whole = _lines(deployment, events, 0)
            return [line for line in whole if line["sequence"] > after]
        elif event["kind"] == "deployment.targets" and said:
            found.append(_line(event, said))
    return found


def _line(event: Row, said: dict[str, Any]) -> dict[str, Any]:
    return {
        "deployment": event["subject"],
        "sequence": event["sequence"],
        "at": event["at"],
        "actor": event["actor"],
        "release": said.get("release"),
        "reason": said.get("reason"),
    }
