"""Runs and what they make: stages, datasets, candidates, checks, profiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from interlock.ledger.projections.changes import (
    Change,
    Happened,
    Replace,
    Update,
    Values,
    count,
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


def _run_started(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **texts(said, "stack", "until", "inputs", "host", "boot"),
        "status": "running",
        "actor": event.actor,
        "started_at": event.at,
        "pid": count(said, "pid"),
        "started": count(said, "started"),
        "body": json_text(said or None),
    }
    return (listed("runs", event, values),)


def _run_resumed(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **texts(said, "host", "boot"),
        "status": "running",
        "pid": count(said, "pid"),
        "started": count(said, "started"),
        "message": None,
        "exit_code": None,
        "finished_at": None,
    }
    return (Update("runs", {"id": event.subject}, values),)


def _run_finished(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        "status": text(said, "status") or "finished",
        "message": text(said, "message"),
        "exit_code": count(said, "exit_code"),
        "finished_at": event.at,
    }
    return (Update("runs", {"id": event.subject}, values),)


def _run_cancelled(event: Happened) -> tuple[Change, ...]:
    values = {
        "status": "cancelled",
        "message": text(event.payload, "message"),
        "finished_at": event.at,
    }
    return (Update("runs", {"id": event.subject}, values),)


def _stage_started(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **texts(said, "stage", "inputs"),
        "run": event.run,
        "attempt": count(said, "attempt"),
        "status": "running",
        "started_at": event.at,
    }
    return (listed("stages", event, values), *of_run(event, stage=values["stage"]))


def _stage_ended(status: str) -> Callable[[Happened], tuple[Change, ...]]:
    def reduce(event: Happened) -> tuple[Change, ...]:
        said = event.payload
        values = {
            "run": event.run,
            "status": status if said else "erased",
            "outputs": json_text(said.get("outputs")),
            "finished_at": event.at,
            "seconds": number(said, "seconds"),
            "message": text(said, "message"),
        }
        if said:
            values["stage"] = text(said, "stage")
        return (listed("stages", event, values),)

    return reduce


def _stage_reused(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    values = {
        **texts(said, "stage", "inputs", "of"),
        "run": event.run,
        "status": "reused",
        "outputs": json_text(said.get("outputs")),
        "started_at": event.at,
        "finished_at": event.at,
        "seconds": 0.0,
    }
    return (listed("stages", event, values), *of_run(event, stage=values["stage"]))


def _dataset_kept(event: Happened) -> tuple[Change, ...]:
    record = record_in(event.payload)
    if not record:
        return ()
    values = {
        "run": event.run,
        "source": text(record, "source"),
        "rows": count(record, "rows"),
        "at": event.at,
        "body": json_text(record or None),
    }
    return (listed("datasets", event, values), *of_run(event, dataset=event.subject))


def _candidate_made(event: Happened) -> tuple[Change, ...]:
    said, record = event.payload, record_in(event.payload)
    if not record:
        return ()
    values = {
        **texts(said, "model", "data"),
        **texts(record, "estimator", "origin"),
        "run": event.run,
        "at": event.at,
        "body": json_text(record or None),
    }
    return (listed("candidates", event, values), *of_run(event, model=values["model"]))


def _checks_measured(event: Happened) -> tuple[Change, ...]:
    said = event.payload
    phase = text(said, "phase")
    if phase is None:
        return ()
    rows = [_check(record, text(said, "model")) for record in records(said, "checks")]
    return (Replace("checks", {"run": event.run or event.subject, "phase": phase}, rows),)


def _check(record: Mapping[str, Any], model: str | None) -> Values:
    maker, word = maker_of(record)
    name, subject = text(record, "name") or "", text(record, "subject")
    label = f"{name}[{subject}]" if subject else name
    return {
        "model": model,
        "key": f"{word}.{label}" if word else label,
        "maker": maker,
        "value": number(record, "value"),
        "low": number(record, "low"),
        "high": number(record, "high"),
        "n": count(record, "n"),
        "version": count(record, "version"),
        "body": json_text(record),
    }


def _profiles_built(event: Happened) -> tuple[Change, ...]:
    rows = [
        {
            "name": text(record, "name"),
            "maker": maker_of(record)[0],
            "artifact": text(record_in(record, "artifact"), "digest"),
            "rows": count(record, "rows"),
            "body": json_text(record),
        }
        for record in records(event.payload, "profiles")
    ]
    return (Replace("profiles", {"run": event.run or event.subject}, rows),)


REDUCERS: Mapping[str, Callable[[Happened], tuple[Change, ...]]] = {
    "run.started": _run_started,
    "run.resumed": _run_resumed,
    "run.finished": _run_finished,
    "run.cancelled": _run_cancelled,
    "stage.started": _stage_started,
    "stage.finished": _stage_ended("finished"),
    "stage.failed": _stage_ended("failed"),
    "stage.refused": _stage_ended("refused"),
    "stage.waiting": _stage_ended("waiting"),
    "stage.reused": _stage_reused,
    "dataset.kept": _dataset_kept,
    "candidate.made": _candidate_made,
    "checks.measured": _checks_measured,
    "profiles.built": _profiles_built,
}
"""By the kind of the event."""
