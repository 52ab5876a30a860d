"""What is registered, judged, approved and released."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from interlock.ledger.projections.changes import (
    Change,
    Happened,
    Replace,
    Update,
    Upsert,
    json_text,
    listed,
    maker_of,
    number,
    of_run,
    record_in,
    records,
    text,
    texts,
)


def _version_intended(event: Happened) -> tuple[Change, ...]:
    values = {
        **texts(event.payload, "name", "model"),
        "run": event.run,
        "status": "intended",
        "at": event.at,
    }
    return (listed("versions", event, values),)


def _version_registered(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    if not said:
        return ()
    values = {
        **texts(said, "name", "number", "model"),
        "run": event.run,
        # The registry had this digest already: the version is the earlier one, under two ids.
        "status": "existing" if said.get("existing") is True else "registered",
        "at": event.at,
        "body": json_text(record_in(said) or None),
    }
    return (listed("versions", event, values), *of_run(event, version=event.subject))


def _version_imported(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, record_in(event.payload)
    if not record:
        return ()
    model = record_in(record_in(record, "model"), "artifact")
    values = {
        **texts(record, "name", "number"),
        "run": event.run,
        "model": text(said, "model") or text(model, "digest"),
        "status": "registered",
        "origin": json_text(said.get("origin")),
        "at": event.at,
        "body": json_text(record or None),
    }
    return (listed("versions", event, values),)


def _alias_moved(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    name, alias = text(said, "name"), text(said, "alias")
    if not name or not alias:
        return ()
    values = {**texts(said, "version", "number", "model", "previous"), "at": event.at}
    return (Upsert("aliases", {"name": name, "alias": alias}, values),)


def _review_held(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    if not said:
        return ()
    values = {
        **texts(said, "dossier", "outcome"),
        "run": event.run,
        "reasons": json_text(said.get("reasons")),
        "at": event.at,
        "body": json_text(said or None),
    }
    rows = [
        {
            **texts(record, "decision", "subject", "check", "reason"),
            "maker": maker_of(record)[0],
            "body": json_text(record),
        }
        for record in records(said, "verdicts")
    ]
    return (
        listed("reviews", event, values),
        Replace("verdicts", {"review": event.subject}, rows),
        *of_run(event, dossier=values["dossier"]),
    )


def _approval_given(event: Happened) -> tuple[Change, ...]:
    record = record_in(event.payload)
    if not record:
        return ()
    values = {
        **texts(record, "dossier", "decision", "reason", "actor", "verified", "at", "expires"),
        "run": event.run,
        "self_approved": int(record.get("self_approved") is True),
        "body": json_text(record),
    }
    return (listed("approvals", event, values),)


def _release_made(event: Happened) -> tuple[Change, ...]:
    record = record_in(event.payload)
    if not record:
        return ()
    values = {
        **texts(record, "run", "stack", "endpoint", "model", "dossier", "number", "at", "expires"),
        "threshold": number(record, "threshold"),
        "body": json_text(record),
    }
    return (listed("releases", event, values), *of_run(event, release=event.subject))


def _release_revoked(event: Happened) -> tuple[Change, ...]:
    values = {
        "revoked_at": event.at,
        "revoked_reason": text(event.payload, "reason"),
        "revoked_by": event.actor,
    }
    return (Update("releases", {"id": event.subject}, values),)


REDUCERS: Mapping[str, Callable[[Happened], tuple[Change, ...]]] = {
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
