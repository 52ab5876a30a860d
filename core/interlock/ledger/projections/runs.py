"""Runs and what they make: stages, datasets, candidates, checks, profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.ledger.projections.changes import (
    Happened,
    Reducer,
    Values,
    Writer,
    json_text,
    listed,
    maker_of,
    of_run,
    record_in,
    records,
    text,
)


def _run_started(event: Happened, to: Writer) -> None:
    said = event.payload
    values = {
        "stack": said.get("stack"),
        "until": said.get("until"),
        "inputs": said.get("inputs"),
        "host": said.get("host"),
        "boot": said.get("boot"),
        "status": "running",
        "actor": event.actor,
        "started_at": event.at,
        "pid": said.get("pid"),
        "started": said.get("started"),
        "body": json_text(said or None),
    }
    listed(to, "runs", event, values)


def _run_imported(event: Happened, to: Writer) -> None:
    said = event.payload
    values = {
        "stack": said.get("stack"),
        "until": said.get("until"),
        "model": said.get("model"),
        "dataset": said.get("dataset"),
        "version": said.get("version"),
        "message": said.get("message"),
        "status": "done",
        "stage": "register",
        "actor": event.actor,
        "started_at": event.at,
        "finished_at": event.at,
        "body": json_text(said or None),
    }
    listed(to, "runs", event, values)


def _run_resumed(event: Happened, to: Writer) -> None:
    said = event.payload
    values = {
        "host": said.get("host"),
        "boot": said.get("boot"),
        "status": "running",
        "pid": said.get("pid"),
        "started": said.get("started"),
        "message": None,
        "exit_code": None,
        "finished_at": None,
    }
    to.update("runs", (event.subject,), values)


def _run_finished(event: Happened, to: Writer) -> None:
    said = event.payload
    values = {
        "status": said.get("status") or "finished",
        "message": said.get("message"),
        "exit_code": said.get("exit_code"),
        "finished_at": event.at,
    }
    to.update("runs", (event.subject,), values)


def _run_cancelled(event: Happened, to: Writer) -> None:
    values = {
        "status": "cancelled",
        "message": event.payload.get("message"),
        "finished_at": event.at,
    }
    to.update("runs", (event.subject,), values)


def _stage_started(event: Happened, to: Writer) -> None:
    said = event.payload
    stage = said.get("stage")
    values = {
        "run": event.run,
        "stage": stage,
        "inputs": said.get("inputs"),
        "attempt": said.get("attempt"),
        "status": "running",
        "started_at": event.at,
    }
    listed(to, "stages", event, values)
    of_run(to, event, stage=stage)


def _stage_ended(status: str) -> Reducer:
    def reduce(event: Happened, to: Writer) -> None:
        said = event.payload
        values = {
            "run": event.run,
            "status": status if said else "erased",
            "outputs": json_text(said.get("outputs")),
            "finished_at": event.at,
            "seconds": said.get("seconds"),
            "message": said.get("message"),
        }
        if said:
            values["stage"] = said.get("stage")
        listed(to, "stages", event, values)

    return reduce


def _stage_taken(status: str) -> Reducer:
    """A stage that was not done now: an earlier one's outputs count, or another ledger's."""

    def reduce(event: Happened, to: Writer) -> None:
        said = event.payload
        stage = said.get("stage")
        values = {
            "run": event.run,
            "stage": stage,
            "inputs": said.get("inputs"),
            "of": said.get("of"),
            "status": status,
            "outputs": json_text(said.get("outputs")),
            "started_at": event.at,
            "finished_at": event.at,
            "seconds": 0.0,
        }
        listed(to, "stages", event, values)
        of_run(to, event, stage=stage)

    return reduce


def _dataset_kept(event: Happened, to: Writer) -> None:
    record = record_in(event.payload)
    if not record:
        return
    values = {
        "run": event.run,
        "source": record.get("source"),
        "rows": record.get("rows"),
        "at": event.at,
        "body": json_text(record),
    }
    listed(to, "datasets", event, values)
    of_run(to, event, dataset=event.subject)


def _candidate_made(event: Happened, to: Writer) -> None:
    said, record = event.payload, record_in(event.payload)
    if not record:
        return
    model = said.get("model")
    values = {
        "run": event.run,
        "model": model,
        "data": said.get("data"),
        "estimator": record.get("estimator"),
        "origin": record.get("origin"),
        "at": event.at,
        "body": json_text(record),
    }
    listed(to, "candidates", event, values)
    of_run(to, event, model=model)


def _checks_measured(event: Happened, to: Writer) -> None:
    said = event.payload
    phase = said.get("phase")
    if phase is None:
        return
    model = said.get("model")
    rows = [_check(record, model) for record in records(said, "checks")]
    to.replace("checks", (event.run or event.subject, phase), rows)


def _check(record: Mapping[str, Any], model: str | None) -> Values:
    maker, word = maker_of(record)
    name, subject = text(record.get("name")) or "", text(record.get("subject"))
    label = f"{name}[{subject}]" if subject else name
    return {
        "model": model,
        "key": f"{word}.{label}" if word else label,
        "maker": maker,
        "value": record.get("value"),
        "low": record.get("low"),
        "high": record.get("high"),
        "n": record.get("n"),
        "version": record.get("version"),
        "body": json_text(record),
    }


def _profiles_built(event: Happened, to: Writer) -> None:
    rows = [
        {
            "name": record.get("name"),
            "maker": maker_of(record)[0],
            "artifact": record_in(record, "artifact").get("digest"),
            "rows": record.get("rows"),
            "body": json_text(record),
        }
        for record in records(event.payload, "profiles")
    ]
    to.replace("profiles", (event.run or event.subject,), rows)


REDUCERS: Mapping[str, Reducer] = {
    "run.started": _run_started,
    "run.imported": _run_imported,
    "run.resumed": _run_resumed,
    "run.finished": _run_finished,
    "run.cancelled": _run_cancelled,
    "stage.started": _stage_started,
    "stage.finished": _stage_ended("finished"),
    "stage.failed": _stage_ended("failed"),
    "stage.refused": _stage_ended("refused"),
    "stage.waiting": _stage_ended("waiting"),
    "stage.reused": _stage_taken("reused"),
    "stage.imported": _stage_taken("imported"),
    "dataset.kept": _dataset_kept,
    "candidate.made": _candidate_made,
    "checks.measured": _checks_measured,
    "profiles.built": _profiles_built,
}
"""By the kind of the event."""
