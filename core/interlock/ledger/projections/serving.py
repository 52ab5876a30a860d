"""What is served, and how it does: deployments, labels, windows, findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interlock.ids import short
from interlock.ledger.projections.changes import (
    Change,
    Happened,
    Update,
    Upsert,
    count,
    json_text,
    listed,
    maker_of,
    number,
    record_in,
    records,
    text,
    texts,
)


def _deployment_intended(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, record_in(event.payload)
    endpoint = record_in(record, "endpoint")
    if not endpoint:
        return ()
    values = {
        "stack": text(endpoint, "stack"),
        "endpoint": text(endpoint, "name"),
        "status": "intended",
        **texts(said, "release", "reason"),
        "message": None,
        "at": event.at,
        "targets": json_text(record.get("targets")),
        "body": json_text(record),
    }
    return (listed("deployments", event, values),)


def _deployment_applied(event: Happened) -> tuple[Change, ...]:
    record = record_in(event.payload)
    targets = records(record, "targets")
    if not targets:
        return ()
    values = {
        "status": "applied",
        "live": text(record_in(targets[0], "release"), "id"),
        "address": text(record, "address"),
        "message": None,
        "at": event.at,
        "targets": json_text(targets),
        "body": json_text(record),
    }
    return (Update("deployments", {"id": event.subject}, values),)


def _deployment_targets(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    if not said:
        return ()
    release = text(said, "release")
    values = {
        "release": release,
        # A server of ours follows the ledger: what is written here is what it serves.
        "live": release,
        "reason": text(said, "reason"),
        "at": event.at,
        "targets": json_text(said.get("targets")),
    }
    return (Update("deployments", {"id": event.subject}, values),)


def _deployment_failed(event: Happened) -> tuple[Change, ...]:
    values = {"status": "failed", "message": text(event.payload, "message"), "at": event.at}
    return (Update("deployments", {"id": event.subject}, values),)


def _deployment_removed(event: Happened) -> tuple[Change, ...]:
    values = {"status": "removed", "reason": text(event.payload, "reason"), "at": event.at}
    return (Update("deployments", {"id": event.subject}, values),)


def _labels_added(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, record_in(event.payload)
    values = {
        **texts(record, "digest", "source"),
        "rows": count(said, "rows"),
        "matched": count(said, "matched"),
        "at": event.at,
        "body": json_text(record or None),
    }
    return (listed("labels", event, values),) if record else ()


def _window_monitored(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    if not said:
        return ()
    found = records(said, "findings")
    values = {
        **texts(said, "release", "stack", "endpoint", "key"),
        "start": json_text(said.get("start")),
        "end": json_text(said.get("end")),
        "rows": count(said, "rows"),
        "labelled": count(said, "labelled"),
        "alerts": sum(record.get("status") == "alert" for record in found),
        "at": event.at,
        "body": json_text(said),
    }
    return (
        listed("windows", event, values),
        *(_finding(event, ordinal, record) for ordinal, record in enumerate(found)),
    )


def _finding(event: Happened, ordinal: int, record: Mapping[str, Any]) -> Upsert:
    values = {
        **texts(record, "name", "subject", "status"),
        "short": f"{short(event.subject)}.{ordinal:04d}",
        "window": event.subject,
        "release": text(event.payload, "release"),
        "value": number(record, "value"),
        "threshold": number(record, "threshold"),
        "n": count(record, "n"),
        "maker": maker_of(record)[0],
        "at": event.at,
        "body": json_text(record),
    }
    return Upsert("findings", {"id": f"{event.subject}.{ordinal:04d}"}, values)


REDUCERS: Mapping[str, Callable[[Happened], tuple[Change, ...]]] = {
    "deployment.intended": _deployment_intended,
    "deployment.applied": _deployment_applied,
    "deployment.targets": _deployment_targets,
    "deployment.failed": _deployment_failed,
    "deployment.removed": _deployment_removed,
    "labels.added": _labels_added,
    "window.monitored": _window_monitored,
}
"""By the kind of the event."""
