"""What is worth tracking of an event, as notes: plain JSON tables that can wait on a disk."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from interlock_hookspecs import Event

Note = dict[str, Any]
"""A table; its ``what`` is tags, params, metrics, data, fold, card or end."""

_REFUSED = re.compile(r"[^\w.\-/: ]")
_KEY, _PARAM, _TAG = 250, 6000, 5000  # characters that MLflow keeps
_STATUS = {"done": "FINISHED", "failed": "FAILED", "refused": "FAILED", "waiting": "RUNNING"}


def notes_of(event: Event) -> Iterator[Note]:
    """The notes of an event; none where it is of no run, or nothing of it is tracked."""
    make = _MAKERS.get(event.kind)
    run = event.run or _release_of(event.payload).get("run")
    if make is None or not isinstance(run, str) or not run:
        return
    about = {
        "run": run,
        "project": event.project,
        "at": int(event.at.timestamp() * 1000),
    }
    for note in make(event.payload, event):
        yield {**about, **note}


def key_text(text: object) -> str:
    """A name of a metric, a parameter or a tag, as MLflow takes it.

    >>> key_text("fairness.ratio[SEX]"), key_text("../up")
    ('fairness.ratio/SEX', '__/up')
    """
    plain = str(text).replace("[", "/").replace("]", "").replace("..", "__")
    return (_REFUSED.sub("_", plain).strip("/ ") or "_")[:_KEY].replace("//", "/_/")


def text_of(value: object, longest: int = _TAG) -> str:
    """A value as text that can be sent, cut to a length."""
    return str(value).encode("utf-8", "replace").decode()[:longest]


def _started(payload: Mapping[str, Any], event: Event) -> Iterator[Note]:
    tags = {"actor": event.actor.subject, "project": event.project, "stack": payload.get("stack")}
    facts = _table(payload.get("facts"))
    tags |= {"code": payload.get("code"), "git.commit": facts.get("git.commit")}
    yield _tags(tags)


def _dataset(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    record = _table(payload.get("record"))
    digest = record.get("digest")
    if isinstance(digest, str):
        source = text_of(record.get("source", ""))
        yield {"what": "data", "digest": digest, "source": source, "rows": record.get("rows")}
        yield _tags({"data": digest})


def _candidate(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    record = _table(payload.get("record"))
    params = {**_table(record.get("facts")), **_table(record.get("parameters"))}
    params |= {"estimator": record.get("estimator"), "rows": record.get("rows")}
    known = {key_text(k): text_of(v, _PARAM) for k, v in params.items() if v is not None}
    if known:
        yield {"what": "params", "values": known}
    yield _tags({"model": payload.get("model"), "origin": record.get("origin")})
    folds: dict[int, dict[str, float]] = {}
    for score in _tables(record.get("scores")):
        name = key_text(f"cv.{score.get('name')}")
        found = score.get("folds")
        values = [v for v in found if _finite(v)] if isinstance(found, list | tuple) else []
        if values:
            yield {"what": "metrics", "values": {name: sum(values) / len(values)}}
        for place, value in enumerate(values):
            folds.setdefault(place + 1, {})[name] = value
    for place, metrics in folds.items():
        yield {"what": "fold", "fold": place, "values": metrics}


def _checks(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    values = {}
    for check in _tables(payload.get("checks")):
        word = str(_table(check.get("maker")).get("plugin", "")).partition("-")[2]
        subject = f"[{check['subject']}]" if check.get("subject") else ""
        name = key_text(f"{word}.{check.get('name')}{subject}".lstrip("."))
        for suffix, key in (("", "value"), (".low", "low"), (".high", "high")):
            if _finite(check.get(key)):
                values[f"{name[: _KEY - len(suffix)]}{suffix}"] = check[key]
    if values:
        yield {"what": "metrics", "values": values}


def _version(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    yield _tags({"version": payload.get("number")})


def _review(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    yield _tags({"review": payload.get("outcome"), "dossier": payload.get("dossier")})
    card = payload.get("card")
    if isinstance(card, Mapping):
        yield {"what": "card", "artifact": {str(key): card[key] for key in card}}


def _release(payload: Mapping[str, Any], event: Event) -> Iterator[Note]:
    threshold = _release_of(payload).get("threshold")
    yield _tags({"release": event.subject, "threshold": threshold})


def _release_of(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return _table(payload.get("record")) or payload


def _end(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    status = str(payload.get("status", ""))
    yield _tags({"status": status, "message": payload.get("message")})
    yield {"what": "end", "status": _STATUS.get(status, "FINISHED")}


def _cancelled(payload: Mapping[str, Any], _event: Event) -> Iterator[Note]:
    yield _tags({"status": "cancelled", "message": payload.get("reason")})
    yield {"what": "end", "status": "KILLED"}


_MAKERS = {
    "run.started": _started,
    "dataset.kept": _dataset,
    "candidate.made": _candidate,
    "checks.measured": _checks,
    "version.registered": _version,
    "review.held": _review,
    "release.made": _release,
    "run.finished": _end,
    "run.cancelled": _cancelled,
}


def _tags(values: Mapping[str, Any]) -> Note:
    known = {f"interlock.{key}": text_of(v) for key, v in values.items() if v not in (None, "")}
    return {"what": "tags", "values": known}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tables(value: object) -> Iterator[Mapping[str, Any]]:
    for item in value if isinstance(value, list | tuple) else ():
        if isinstance(item, Mapping):
            yield item


def _finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(str(value)))
