"""What is registered, judged, approved and released."""

from __future__ import annotations

from collections.abc import Mapping

from interlock.ledger.projections.changes import (
    Happened,
    Reducer,
    Writer,
    given,
    json_text,
    listed,
    maker_of,
    of_run,
    record_in,
    records,
)


def _version_intended(event: Happened, to: Writer) -> None:
    values = {
        **given(event.payload, "name", "model"),
        "run": event.run,
        "status": "intended",
        "at": event.at,
    }
    listed(to, "versions", event, values)


def _version_registered(event: Happened, to: Writer) -> None:
    said = event.payload
    if not said:
        return
    values = {
        **given(said, "name", "number", "model"),
        "run": event.run,
        # The registry had this digest already: the version is the earlier one, under two ids.
        "status": "existing" if said.get("existing") is True else "registered",
        "at": event.at,
        "body": json_text(record_in(said) or None),
    }
    listed(to, "versions", event, values)
    of_run(to, event, version=event.subject)


def _version_imported(event: Happened, to: Writer) -> None:
    said, record = event.payload, record_in(event.payload)
    if not record:
        return
    model = record_in(record_in(record, "model"), "artifact")
    values = {
        **given(record, "name", "number"),
        "run": event.run,
        "model": said.get("model") or model.get("digest"),
        "status": "registered",
        "origin": json_text(said.get("origin")),
        "at": event.at,
        "body": json_text(record),
    }
    listed(to, "versions", event, values)


def _alias_moved(event: Happened, to: Writer) -> None:
    said = event.payload
    name, alias = said.get("name"), said.get("alias")
    if not name or not alias:
        return
    values = {**given(said, "version", "number", "model", "previous"), "at": event.at}
    to.upsert("aliases", (name, alias), values)


def _review_held(event: Happened, to: Writer) -> None:
    said = event.payload
    if not said:
        return
    values = {
        **given(said, "dossier", "outcome"),
        "run": event.run,
        "reasons": json_text(said.get("reasons")),
        "at": event.at,
        "body": json_text(said or None),
    }
    rows = [
        {
            **given(record, "decision", "subject", "check", "reason"),
            "maker": maker_of(record)[0],
            "body": json_text(record),
        }
        for record in records(said, "verdicts")
    ]
    dossier = values["dossier"]
    listed(to, "reviews", event, values)
    to.replace("verdicts", (event.subject,), rows)
    of_run(to, event, dossier=dossier)


def _approval_given(event: Happened, to: Writer) -> None:
    record = record_in(event.payload)
    if not record:
        return
    values = {
        **given(record, "dossier", "decision", "reason", "actor", "verified", "at", "expires"),
        "run": event.run,
        "self_approved": int(record.get("self_approved") is True),
        "body": json_text(record),
    }
    listed(to, "approvals", event, values)


def _release_made(event: Happened, to: Writer) -> None:
    record = record_in(event.payload)
    if not record:
        return
    values = {
        **given(record, "run", "stack", "endpoint", "model", "dossier", "number", "at", "expires"),
        "threshold": record.get("threshold"),
        "body": json_text(record),
    }
    listed(to, "releases", event, values)
    of_run(to, event, release=event.subject)


def _release_revoked(event: Happened, to: Writer) -> None:
    values = {
        "revoked_at": event.at,
        "revoked_reason": event.payload.get("reason"),
        "revoked_by": event.actor,
    }
    to.update("releases", (event.subject,), values)


REDUCERS: Mapping[str, Reducer] = {
    "version.intended": _version_intended,
    "version.registered": _version_registered,
    "version.imported": _version_imported,
    "alias.moved": _alias_moved,
    "review.held": _review_held,
    "approval.given": _approval_given,
    "release.made": _release_made,
    "release.revoked": _release_revoked,
}
"""By the kind of the event."""
