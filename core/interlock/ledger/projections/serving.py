"""What is served, and how it does: deployments, labels, windows, findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.ids import short
from interlock.ledger.projections.changes import (
    Happened,
    Reducer,
    Values,
    Writer,
    given,
    json_text,
    listed,
    maker_of,
    record_in,
    records,
)


def _deployment_intended(event: Happened, to: Writer) -> None:
    said, record = event.payload, record_in(event.payload)
    endpoint = record_in(record, "endpoint")
    if not endpoint:
        return
    values = {
        "stack": endpoint.get("stack"),
        "endpoint": endpoint.get("name"),
        "status": "intended",
        **given(said, "release", "reason"),
        "message": None,
        "at": event.at,
        "targets": json_text(record.get("targets")),
        "body": json_text(record),
    }
    listed(to, "deployments", event, values)


def _deployment_applied(event: Happened, to: Writer) -> None:
    record = record_in(event.payload)
    targets = records(record, "targets")
    if not targets:
        return
    values = {
        "status": "applied",
        "live": record_in(targets[0], "release").get("id"),
        "address": record.get("address"),
        "message": None,
        "at": event.at,
        "targets": json_text(targets),
        "body": json_text(record),
    }
    to.update("deployments", (event.subject,), values)


def _deployment_targets(event: Happened, to: Writer) -> None:
    said = event.payload
    if not said:
        return
    release = said.get("release")
    values = {
        "release": release,
        # A server of ours follows the ledger: what is written here is what it serves.
        "live": release,
        "reason": said.get("reason"),
        "at": event.at,
        "targets": json_text(said.get("targets")),
    }
    to.update("deployments", (event.subject,), values)


def _deployment_failed(event: Happened, to: Writer) -> None:
    values = {"status": "failed", "message": event.payload.get("message"), "at": event.at}
    to.update("deployments", (event.subject,), values)


def _deployment_removed(event: Happened, to: Writer) -> None:
    values = {"status": "removed", "reason": event.payload.get("reason"), "at": event.at}
    to.update("deployments", (event.subject,), values)


def _labels_added(event: Happened, to: Writer) -> None:
    said, record = event.payload, record_in(event.payload)
    if not record:
        return
    values = {
        **given(record, "digest", "source"),
        "rows": said.get("rows"),
        "matched": said.get("matched"),
        "at": event.at,
        "body": json_text(record),
    }
    listed(to, "labels", event, values)


def _window_monitored(event: Happened, to: Writer) -> None:
    said = event.payload
    if not said:
        return
    found = records(said, "findings")
    values = {
        **given(said, "release", "stack", "endpoint", "key"),
        "start": json_text(said.get("start")),
        "end": json_text(said.get("end")),
        "rows": said.get("rows"),
        "labelled": said.get("labelled"),
        "alerts": sum(record.get("status") == "alert" for record in found),
        "at": event.at,
        "body": json_text(said),
    }
    listed(to, "windows", event, values)
    for ordinal, record in enumerate(found):
        to.upsert("findings", (f"{event.subject}.{ordinal:04d}",), _finding(event, ordinal, record))


def _finding(event: Happened, ordinal: int, record: Mapping[str, Any]) -> Values:
    return {
        **given(record, "name", "subject", "status"),
        "short": f"{short(event.subject)}.{ordinal:04d}",
        "window": event.subject,
        "release": event.payload.get("release"),
        "value": record.get("value"),
        "threshold": record.get("threshold"),
        "n": record.get("n"),
        "maker": maker_of(record)[0],
        "at": event.at,
        "body": json_text(record),
    }


REDUCERS: Mapping[str, Reducer] = {
    "deployment.intended": _deployment_intended,
    "deployment.applied": _deployment_applied,
    "deployment.targets": _deployment_targets,
    "deployment.failed": _deployment_failed,
    "deployment.removed": _deployment_removed,
    "labels.added": _labels_added,
    "window.monitored": _window_monitored,
}
"""By the kind of the event."""
