"""What an event changes in the tables that follow from it.

One definition, used twice: an append applies the changes in its own transaction, a verification
replays them and compares. So a reducer sees the event and nothing else, and it takes the payload
as it was stored. An event whose payload was erased is reduced with an empty one: what it ended or
revoked stays so, what it said is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from interlock.ids import short
from interlock.ledger.canonical import canonical

Values = dict[str, Any]


class Upsert(NamedTuple):
    """Write these columns of a row, which may be new."""

    table: str
    key: Values
    values: Values


class Update(NamedTuple):
    """Write these columns of a row, if there is such a row."""

    table: str
    key: Values
    values: Values


class Replace(NamedTuple):
    """Write these rows instead of all that have this part of the key."""

    table: str
    group: Values
    rows: list[Values]


Change = Upsert | Update | Replace


class Happened(NamedTuple):
    """What a reducer sees of an event.

    Attributes:
        kind, at, actor, subject, run: as in its header; actor is the subject's name alone.
        payload: as stored; empty where it was erased.
    """

    kind: str
    at: str
    actor: str
    subject: str
    run: str | None
    payload: Mapping[str, Any]


def changes(event: Happened) -> tuple[Change, ...]:
    """The changes that an event makes; none for a kind that is only an event.

    Raises:
        TypeError: a value of the payload has another type than its column.
    """
    reduce = _REDUCERS.get(event.kind)
    return reduce(event) if reduce else ()


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is None or type(value) is str:
        return value
    raise TypeError(f"{name} is {type(value).__name__}: expected a text")


def _count(values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value is None or type(value) is int:
        return value
    raise TypeError(f"{name} is {type(value).__name__}: expected an int")


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is None or type(value) in (int, float):
        return None if value is None else float(value)
    raise TypeError(f"{name} is {type(value).__name__}: expected a number")


def _record(values: Mapping[str, Any], name: str = "record") -> Mapping[str, Any]:
    value = values.get(name)
    if value is None or isinstance(value, dict):
        return value or {}
    raise TypeError(f"{name} is {type(value).__name__}: expected a record")


def _records(values: Mapping[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    if value is None or (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        return value or []
    raise TypeError(f"{name}: expected a list of records")


def _json(value: Any) -> str | None:
    return None if value is None else canonical(value).decode()


def _texts(values: Mapping[str, Any], *names: str) -> Values:
    return {name: _text(values, name) for name in names}


def _maker(record: Mapping[str, Any]) -> tuple[str | None, str]:
    """The maker's name and version, and its word: what stands before a check's name in a key."""
    maker = _record(record, "maker")
    plugin = _text(maker, "plugin")
    if plugin is None:
        return None, ""
    _, dash, word = plugin.partition("-")
    return f"{plugin} {_text(maker, 'version')}", word if dash else plugin


def _listed(table: str, event: Happened, values: Values) -> Upsert:
    return Upsert(table, {"id": event.subject}, {"short": short(event.subject), **values})


def _of_run(event: Happened, **values: Any) -> tuple[Change, ...]:
    return (Update("runs", {"id": event.run}, values),) if event.run else ()


def _run_started(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **_texts(said, "stack", "until", "inputs", "host", "boot"),
        "status": "running",
        "actor": event.actor,
        "started_at": event.at,
        "pid": _count(said, "pid"),
        "started": _count(said, "started"),
        "body": _json(said or None),
    }
    return (_listed("runs", event, values),)


def _run_resumed(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **_texts(said, "host", "boot"),
        "status": "running",
        "pid": _count(said, "pid"),
        "started": _count(said, "started"),
        "message": None,
        "exit_code": None,
        "finished_at": None,
    }
    return (Update("runs", {"id": event.subject}, values),)


def _run_finished(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        "status": _text(said, "status") or "finished",
        "message": _text(said, "message"),
        "exit_code": _count(said, "exit_code"),
        "finished_at": event.at,
    }
    return (Update("runs", {"id": event.subject}, values),)


def _run_cancelled(event: Happened) -> tuple[Change, ...]:
    values = {
        "status": "cancelled",
        "message": _text(event.payload, "message"),
        "finished_at": event.at,
    }
    return (Update("runs", {"id": event.subject}, values),)


def _stage_started(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **_texts(said, "stage", "inputs"),
        "run": event.run,
        "attempt": _count(said, "attempt"),
        "status": "running",
        "started_at": event.at,
    }
    return (_listed("stages", event, values), *_of_run(event, stage=values["stage"]))


def _stage_ended(status: str) -> Callable[[Happened], tuple[Change, ...]]:
    def reduce(event: Happened) -> tuple[Change, ...]:
        said = event.payload
        values = {
            "run": event.run,
            "status": status,
            "outputs": _json(said.get("outputs")),
            "finished_at": event.at,
            "seconds": _number(said, "seconds"),
            "message": _text(said, "message"),
        }
        if said:
            values["stage"] = _text(said, "stage")
        return (_listed("stages", event, values),)

    return reduce


def _stage_reused(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **_texts(said, "stage", "inputs", "of"),
        "run": event.run,
        "status": "reused",
        "outputs": _json(said.get("outputs")),
        "started_at": event.at,
        "finished_at": event.at,
        "seconds": 0.0,
    }
    return (_listed("stages", event, values), *_of_run(event, stage=values["stage"]))


def _dataset_kept(event: Happened) -> tuple[Change, ...]:
    record = _record(event.payload)
    values = {
        "run": event.run,
        "source": _text(record, "source"),
        "rows": _count(record, "rows"),
        "at": event.at,
        "body": _json(record or None),
    }
    return (_listed("datasets", event, values), *_of_run(event, dataset=event.subject))


def _candidate_made(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, _record(event.payload)
    values = {
        **_texts(said, "model", "data"),
        **_texts(record, "estimator", "origin"),
        "run": event.run,
        "at": event.at,
        "body": _json(record or None),
    }
    return (_listed("candidates", event, values), *_of_run(event, model=values["model"]))


def _checks_measured(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    phase = _text(said, "phase")
    if phase is None:
        return ()
    rows = [_check(record, _text(said, "model")) for record in _records(said, "checks")]
    return (Replace("checks", {"run": event.run or event.subject, "phase": phase}, rows),)


def _check(record: Mapping[str, Any], model: str | None) -> Values:
    maker, word = _maker(record)
    name, subject = _text(record, "name") or "", _text(record, "subject")
    label = f"{name}[{subject}]" if subject else name
    return {
        "model": model,
        "key": f"{word}.{label}" if word else label,
        "maker": maker,
        "value": _number(record, "value"),
        "low": _number(record, "low"),
        "high": _number(record, "high"),
        "n": _count(record, "n"),
        "version": _count(record, "version"),
        "body": _json(record),
    }


def _profiles_built(event: Happened) -> tuple[Change, ...]:
    rows = [
        {
            "name": _text(record, "name"),
            "maker": _maker(record)[0],
            "artifact": _text(_record(record, "artifact"), "digest"),
            "rows": _count(record, "rows"),
            "body": _json(record),
        }
        for record in _records(event.payload, "profiles")
    ]
    return (Replace("profiles", {"run": event.run or event.subject}, rows),)


def _version_intended(event: Happened) -> tuple[Change, ...]:
    values = {
        **_texts(event.payload, "name", "model"),
        "run": event.run,
        "status": "intended",
        "at": event.at,
    }
    return (_listed("versions", event, values),)


def _version_registered(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **_texts(said, "name", "number", "model"),
        "run": event.run,
        # The registry had this digest already: the version is the earlier one, under two ids.
        "status": "existing" if said.get("existing") is True else "registered",
        "at": event.at,
        "body": _json(_record(said) or None),
    }
    return (_listed("versions", event, values), *_of_run(event, version=event.subject))


def _version_imported(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, _record(event.payload)
    model = _record(_record(record, "model"), "artifact")
    values = {
        **_texts(record, "name", "number"),
        "run": event.run,
        "model": _text(said, "model") or _text(model, "digest"),
        "status": "registered",
        "origin": _json(said.get("origin")),
        "at": event.at,
        "body": _json(record or None),
    }
    return (_listed("versions", event, values),)


def _alias_moved(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    name, alias = _text(said, "name"), _text(said, "alias")
    if not name or not alias:
        return ()
    values = {**_texts(said, "version", "number", "model", "previous"), "at": event.at}
    return (Upsert("aliases", {"name": name, "alias": alias}, values),)


def _review_held(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **_texts(said, "dossier", "outcome"),
        "run": event.run,
        "reasons": _json(said.get("reasons")),
        "at": event.at,
        "body": _json(said or None),
    }
    rows = [
        {
            **_texts(record, "decision", "subject", "check", "reason"),
            "maker": _maker(record)[0],
            "body": _json(record),
        }
        for record in _records(said, "verdicts")
    ]
    return (
        _listed("reviews", event, values),
        Replace("verdicts", {"review": event.subject}, rows),
        *_of_run(event, dossier=values["dossier"]),
    )


def _approval_given(event: Happened) -> tuple[Change, ...]:
    record = _record(event.payload)
    if not record:
        return ()
    values = {
        **_texts(record, "dossier", "decision", "reason", "actor", "verified", "at", "expires"),
        "run": event.run,
        "self_approved": int(record.get("self_approved") is True),
        "body": _json(record),
    }
    return (_listed("approvals", event, values),)


def _release_made(event: Happened) -> tuple[Change, ...]:
    record = _record(event.payload)
    if not record:
        return ()
    values = {
        **_texts(record, "run", "stack", "endpoint", "model", "dossier", "number", "at", "expires"),
        "threshold": _number(record, "threshold"),
        "body": _json(record),
    }
    return (_listed("releases", event, values), *_of_run(event, release=event.subject))


def _release_revoked(event: Happened) -> tuple[Change, ...]:
    values = {
        "revoked_at": event.at,
        "revoked_reason": _text(event.payload, "reason"),
        "revoked_by": event.actor,
    }
    return (Update("releases", {"id": event.subject}, values),)


def _deployment_intended(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, _record(event.payload)
    endpoint = _record(record, "endpoint")
    if not endpoint:
        return ()
    values = {
        "stack": _text(endpoint, "stack"),
        "endpoint": _text(endpoint, "name"),
        "status": "intended",
        **_texts(said, "release", "reason"),
        "message": None,
        "at": event.at,
        "targets": _json(record.get("targets")),
        "body": _json(record),
    }
    return (_listed("deployments", event, values),)


def _deployment_applied(event: Happened) -> tuple[Change, ...]:
    record = _record(event.payload)
    targets = _records(record, "targets")
    if not targets:
        return ()
    values = {
        "status": "applied",
        "live": _text(_record(targets[0], "release"), "id"),
        "address": _text(record, "address"),
        "message": None,
        "at": event.at,
        "targets": _json(targets),
        "body": _json(record),
    }
    return (Update("deployments", {"id": event.subject}, values),)


def _deployment_targets(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    if not said:
        return ()
    release = _text(said, "release")
    values = {
        "release": release,
        "live": release,
        "reason": _text(said, "reason"),
        "at": event.at,
        "targets": _json(said.get("targets")),
    }
    return (Update("deployments", {"id": event.subject}, values),)


def _deployment_failed(event: Happened) -> tuple[Change, ...]:
    values = {"status": "failed", "message": _text(event.payload, "message"), "at": event.at}
    return (Update("deployments", {"id": event.subject}, values),)


def _deployment_removed(event: Happened) -> tuple[Change, ...]:
    values = {"status": "removed", "reason": _text(event.payload, "reason"), "at": event.at}
    return (Update("deployments", {"id": event.subject}, values),)


def _labels_added(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, _record(event.payload)
    values = {
        **_texts(record, "digest", "source"),
        "rows": _count(said, "rows"),
        "matched": _count(said, "matched"),
        "at": event.at,
        "body": _json(record or None),
    }
    return (_listed("labels", event, values),)


def _window_monitored(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    found = _records(said, "findings")
    values = {
        **_texts(said, "release", "stack", "endpoint", "key"),
        "start": _json(said.get("start")),
        "end": _json(said.get("end")),
        "rows": _count(said, "rows"),
        "labelled": _count(said, "labelled"),
        "alerts": sum(record.get("status") == "alert" for record in found),
        "at": event.at,
        "body": _json(said or None),
    }
    return (
        _listed("windows", event, values),
        *(_finding(event, number, record) for number, record in enumerate(found)),
    )


def _finding(event: Happened, number: int, record: Mapping[str, Any]) -> Upsert:
    identifier = f"{event.subject}.{number:04d}"
    values = {
        **_texts(record, "name", "subject", "status"),
        "short": f"{short(event.subject)}.{number:04d}",
        "window": event.subject,
        "release": _text(event.payload, "release"),
        "value": _number(record, "value"),
        "threshold": _number(record, "threshold"),
        "n": _count(record, "n"),
        "maker": _maker(record)[0],
        "at": event.at,
        "body": _json(record),
    }
    return Upsert("findings", {"id": identifier}, values)


_REDUCERS: Mapping[str, Callable[[Happened], tuple[Change, ...]]] = {
    "run.started": _run_started,
    "run.resumed": _run_resumed,
    "run.finished": _run_finished,
    "run.cancelled": _run_cancelled,
    "stage.started": _stage_started,
    "stage.finished": _stage_ended("finished"),
    "stage.failed": _stage_ended("failed"),
    "stage.reused": _stage_reused,
    "dataset.kept": _dataset_kept,
    "candidate.made": _candidate_made,
    "checks.measured": _checks_measured,
    "profiles.built": _profiles_built,
    "version.intended": _version_intended,
    "version.registered": _version_registered,
    "version.imported": _version_imported,
    "alias.moved": _alias_moved,
    "review.held": _review_held,
    "approval.given": _approval_given,
    "release.made": _release_made,
    "release.revoked": _release_revoked,
    "deployment.intended": _deployment_intended,
    "deployment.applied": _deployment_applied,
    "deployment.targets": _deployment_targets,
    "deployment.failed": _deployment_failed,
    "deployment.removed": _deployment_removed,
    "labels.added": _labels_added,
    "window.monitored": _window_monitored,
}
