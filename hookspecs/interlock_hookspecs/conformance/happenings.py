"""What the suite of observers tells: an event of every kind, and hostile ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock_hookspecs import Actor, Artifact, Event, Workspace

DIGEST = "sha256:" + "0" * 64
RUN = "run-1"

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_MAKER = {"plugin": "validate-metrics", "version": "0.1.0", "settings": "{}"}
_CHECK = {
    "name": "roc_auc",
    "subject": "",
    "value": 0.9,
    "low": None,
    "high": 1.0,
    "n": 10,
    "version": 1,
    "maker": _MAKER,
    "facts": {"a": 1.5},
}
_RELEASE = {
    "id": "release-1",
    "run": RUN,
    "project": "employment",
    "stack": "dev",
    "endpoint": "employment",
    "model": DIGEST,
    "dossier": DIGEST,
    "threshold": 0.5,
    "number": "1",
    "at": "2026-01-01T00:00:00+00:00",
    "expires": None,
}
_DEPLOYMENT = {
    "id": "deployment-1",
    "endpoint": {"name": "employment", "project": "employment", "stack": "dev"},
    "targets": [{"release": _RELEASE, "weight": 1.0, "mirror": False}],
    "address": "http://127.0.0.1:8080",
}
_FINDING = {
    "name": "psi",
    "subject": "AGEP",
    "status": "alert",
    "value": 7.6,
    "threshold": 0.1,
    "n": 100,
    "maker": _MAKER,
}
_APPROVAL = {"id": "approval-1", "decision": "approve", "reason": "small", "actor": "ben"}
_DATASET = {"source": "d.csv", "rows": 10, "digest": DIGEST}
_CANDIDATE = {"origin": "trained", "rows": 10, "facts": {"estimator": "tree", "max_depth": 3}}

PAYLOADS: Mapping[str, Mapping[str, Any]] = {
    "run.started": {"stack": "dev", "until": "monitor", "policy": {"bounds": []}, "facts": {}},
    "promotion.intended": {"stack": "prod", "version": "version-1", "model": DIGEST},
    "run.imported": {"stack": "prod", "model": DIGEST, "origin": {"stack": "dev", "run": "run-0"}},
    "run.resumed": {"pid": 8, "host": "h"},
    "run.finished": {"status": "done", "message": "done", "exit_code": 0},
    "run.cancelled": {"reason": "given up"},
    "stage.started": {"stage": "data", "inputs": DIGEST, "attempt": 1},
    "stage.finished": {"stage": "data", "outputs": {"rows": 10}, "seconds": 1.5},
    "stage.failed": {"stage": "train", "message": "no", "seconds": 1},
    "stage.refused": {"stage": "review", "message": "no", "seconds": 1},
    "stage.waiting": {"stage": "review", "message": "for ben", "seconds": 1},
    "stage.reused": {"stage": "data", "of": "stage-1", "outputs": {}},
    "stage.imported": {"stage": "data", "of": "stage-1", "outputs": {}},
    "dataset.kept": {"record": _DATASET},
    "candidate.made": {"model": DIGEST, "data": DIGEST, "record": _CANDIDATE},
    "checks.measured": {"phase": "model", "model": DIGEST, "checks": [_CHECK]},
    "profiles.built": {"profiles": [{"name": "p", "rows": 3, "maker": _MAKER}]},
    "version.intended": {"name": "employment", "model": DIGEST},
    "version.registered": {"name": "employment", "number": "1", "existing": False},
    "version.imported": {"origin": {"ledger": "x"}, "record": {"name": "n", "number": "4"}},
    "version.promoted": {"stack": "prod", "ledger": "ledger-1", "as": "run-2"},
    "alias.intended": {"name": "employment", "alias": "champion", "number": "1"},
    "alias.moved": {"name": "employment", "alias": "champion", "number": "1", "previous": None},
    "review.held": {"dossier": DIGEST, "outcome": "released", "card": None},
    "approval.given": {"record": _APPROVAL},
    "gate.refused": {"what": "approve", "reason": "own run"},
    "release.made": {"record": _RELEASE},
    "release.revoked": {"reason": "drift"},
    "release.exported": {"format": "edge", "checks": [_CHECK]},
    "deployment.intended": {"record": _DEPLOYMENT, "release": "release-1", "reason": "deploy"},
    "deployment.applied": {"record": _DEPLOYMENT},
    "deployment.targets": {"targets": [], "release": "release-1", "reason": "rollback"},
    "deployment.failed": {"message": "no address"},
    "deployment.removed": {"reason": "undeploy"},
    "rollout.begun": {
        "release": "release-2",
        "champion": "release-1",
        "record": {"strategy": "canary", "steps": [0.05, 0.5], "window": 600.0},
    },
    "rollout.entered": {"step": 0, "traffic": []},
    "rollout.judged": {
        "step": 0,
        "decision": "promote",
        "to": 1,
        "by": "analysis",
        "reason": "1 bound held for 600 s and 900 requests",
        "requests": 900,
        "seconds": 600.0,
        "evidence": [{"key": "rollout.error_rate", "value": 0.0, "n": 900, "bound": "<= 0.01"}],
    },
    "rollout.ended": {"outcome": "promoted", "reason": "1 bound held for 600 s and 900 requests"},
    "swap.started": {"source": "dev", "target": "prod", "digest": DIGEST, "cost": {"bytes": 9}},
    "swap.resumed": {"pid": 8, "host": "h"},
    "artifacts.copied": {"swap": "swap-1", "count": 2, "bytes": 9},
    "version.copied": {"swap": "swap-1", "model": DIGEST, "record": {"name": "n", "number": "4"}},
    "alias.copied": {"swap": "swap-1", "alias": "champion", "number": "1", "previous": None},
    "swap.finished": {"digest": DIGEST, "seconds": 1.5},
    "swap.failed": {"message": "moved meanwhile", "over": True},
    "labels.added": {"rows": 4, "record": {"digest": DIGEST, "source": "l.csv"}},
    "payload.erased": {"event": "event-1", "reason": "asked to"},
    "window.monitored": {"release": "release-1", "start": 2017, "findings": [_FINDING]},
}
"""What each kind of event that the ledger writes carries, by example."""

_OF_A_RUN = ("run.", "stage.", "dataset.", "candidate.", "checks.", "profiles.", "review.")
"""What begins the kind of an event that belongs to a run."""

TEXTS = (
    "",
    "line\nline\r\nline\u2028line",
    "Zürich 東京 🚆 Zu\u0308rich",
    "a\0b\x1b[31m\x7f",
    "%s %n {0} {payload} ${HOME} $(id) `id`",
    "<script>alert(1)</script>' or 1=1; --",
    "C:\\..\\con",
    "a" * 5_000,
)
"""Texts that break what does not quote them."""


def event_of(
    kind: str = "run.started",
    payload: Mapping[str, Any] | None = None,
    *,
    place: int = 1,
    project: str = "employment",
    subject: str = "",
    run: str = RUN,
) -> Event:
    """An event of a kind; its payload the example of its kind where none is given."""
    return Event(
        id=f"event-{project}-{place}",
        project=project,
        sequence=place,
        kind=kind,
        at=_AT + timedelta(seconds=place),
        actor=Actor(subject="ana"),
        subject=subject or (RUN if kind.startswith("run.") else f"{kind.partition('.')[0]}-1"),
        digest=DIGEST,
        run=run if kind.startswith(_OF_A_RUN) else None,
        payload=PAYLOADS.get(kind, {}) if payload is None else payload,
    )


def life() -> tuple[Event, ...]:
    """An event of every kind that the ledger writes, in the order of a model's life."""
    return tuple(event_of(kind, place=place) for place, kind in enumerate(PAYLOADS, start=1))


def hostile(escape: str) -> dict[str, Event]:
    """Events with texts, shapes and numbers that nobody expects, by what is odd.

    Args:
        escape: a file name; texts lead to it in the folders above.
    """
    texts = (*TEXTS, f"../{escape}", f"../../{escape}")
    nested: Any = "the innermost"
    for _ in range(50):
        nested = {"in": [nested]}
    found = {}
    for kind in ("checks.measured", "candidate.made", "run.started", "release.made"):
        for text in texts:
            payload = {"run": text, "record": {text: text}, "checks": [{"name": text}], text: text}
            event = event_of(kind, payload, run=text or RUN, subject=text)
            found[f"{kind} with the text {text[:20]!r}"] = event
    for text in filter(None, texts):
        found[f"a subject {text[:20]!r}"] = event_of("note.made", {}, subject=text, project=text)
    shapes: dict[str, Mapping[str, Any]] = {
        "an empty payload": {},
        "a payload of nulls": dict.fromkeys(("run", "record", "checks", "card", "stage")),
        "a payload of numbers": {"run": 1, "record": 2, "checks": 3, "card": 4, "stage": 5},
        "lists for tables": {"run": [], "record": [[]], "checks": {"a": []}, "card": [1]},
        "deep tables": {"run": RUN, "record": nested, "checks": [nested]},
        "large numbers": {"run": RUN, "value": 2**63 - 1, "other": 1e308, "small": 5e-324},
    }
    for name, shape in shapes.items():
        for kind in PAYLOADS:
            found[f"{kind} with {name}"] = event_of(kind, shape)
    return found


def missing_card() -> Event:
    """A review whose card no workspace has any more."""
    card = {"digest": DIGEST, "size": 9, "name": "card", "folder": True}
    return event_of("review.held", {**PAYLOADS["review.held"], "card": card})


def with_card(ws: Workspace) -> Event:
    """A review whose card is in the workspace."""
    folder = ws.scratch() / "card"
    folder.mkdir()
    (folder / "card.md").write_text("# A card\n", encoding="utf-8")
    kept: Artifact = ws.keep(folder)
    card = {"digest": kept.digest, "size": kept.size, "name": kept.name, "folder": kept.folder}
    return event_of("review.held", {**PAYLOADS["review.held"], "card": card})
