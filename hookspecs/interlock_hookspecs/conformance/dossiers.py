"""Dossiers to be judged and described, sound and hard ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from interlock_hookspecs import (
    Approval,
    Artifact,
    Bound,
    Check,
    Dossier,
    Facts,
    Field,
    Maker,
    Model,
    ModelFacts,
    Policy,
    Score,
    Signature,
    bytes_digest,
)

WORD = "conformance"
HOSTILE = "<script>alert('Zürich ✓')</script> & | * _ ` [x](javascript:y)"
_MAKER = Maker(plugin=f"validate-{WORD}", version="1.0")


def check_of(name: str, value: float | None, **changes: Any) -> Check:
    """A check as core has stamped it: `Check.key` begins with the word of these suites."""
    given = {"name": name, "value": value, "n": 400, "maker": _MAKER}
    reason = "" if value is not None else "it could not be measured"
    return Check(**{**given, "reason": reason, **changes})


def bound_of(name: str, op: str = ">=", limit: float = 0.8, **changes: Any) -> Bound:
    """A bound on such a check."""
    return Bound(key=f"{WORD}.{name}", op=op, limit=limit, **changes)


def dossier_of(
    *, checks: tuple[Check, ...] | None = None, bounds: tuple[Bound, ...] | None = None, **more: Any
) -> Dossier:
    """A dossier of a sound model, with one check that is inside its bound."""
    checks = (check_of("auc", 0.9, low=0.88, high=0.92),) if checks is None else checks
    bounds = (bound_of("auc"),) if bounds is None else bounds
    signature = Signature(
        kind="binary",
        inputs=(Field(name="x", type="double"), Field(name="größe [cm]", type="int64")),
        outputs=(Field(name="score", type="double"),),
        classes=(0, 1),
        positive=1,
    )
    artifact = Artifact(digest=bytes_digest(b"model"), size=5, name="model.bin")
    model = Model(format="conformance", artifact=artifact, signature=signature)
    given: dict[str, Any] = {
        "digest": bytes_digest(repr((checks, bounds, sorted(more.items()))).encode()),
        "run": "run-1",
        "project": "employment",
        "stack": "dev",
        "model": model,
        "data": bytes_digest(b"data"),
        "code": bytes_digest(b"code"),
        "threshold": 0.5,
        "checks": checks,
        "policy": Policy(bounds=bounds),
        "facts": ModelFacts(owner="labour-insights", purpose="programme planning"),
        "estimator": "sklearn.tree.DecisionTreeClassifier",
        "parameters": Facts({"max_depth": 3}),
        "scores": (Score(name="roc_auc", folds=(0.9, 0.8)),),
        "training_rows": 400,
        "source": "data/2015.parquet",
        "lineage": Facts({"python": "3.11"}),
    }
    return Dossier(**{**given, **more})


def hard_dossiers() -> dict[str, Dossier]:
    """Dossiers that are valid and seldom seen, by what is hard about each."""
    hostile = ModelFacts(owner=HOSTILE, purpose=HOSTILE, tier=HOSTILE)
    rate = check_of("rate", None, subject=f"city={HOSTILE}", undersized=(HOSTILE,))
    many = tuple(check_of("rate", 0.5, subject=f"group={place}") for place in range(2_000))
    inputs = tuple(Field(name=f"größe {place}", type="double") for place in range(2_000))
    signature = dossier_of().model.signature
    wide = attrs.evolve(dossier_of().model, signature=attrs.evolve(signature, inputs=inputs))
    regression = attrs.evolve(
        dossier_of().model,
        signature=Signature(
            kind="regression", inputs=(), outputs=(Field(name="prediction", type="double"),)
        ),
    )
    approval = Approval(
        id="approval-1",
        dossier=dossier_of().digest,
        decision="reject",
        reason=HOSTILE,
        actor="ana",
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return {
        "a dossier without checks": dossier_of(checks=()),
        "a dossier without bounds": dossier_of(bounds=()),
        "a dossier with neither": dossier_of(checks=(), bounds=()),
        "a check without a value": dossier_of(checks=(check_of("auc", None),)),
        "a check of huge value": dossier_of(
            checks=(check_of("auc", 1e300, low=-1e300, high=1e308),)
        ),
        "thousands of checks": dossier_of(checks=many),
        "thousands of inputs": dossier_of(model=wide),
        "a purpose of a megabyte": dossier_of(facts=ModelFacts(purpose="Zürich ✓ " * 100_000)),
        "empty texts": dossier_of(source="", estimator="", parameters=Facts({"text": "", "": ""})),
        "hostile text": dossier_of(
            checks=(rate,), facts=hostile, estimator=HOSTILE, source=HOSTILE, project=HOSTILE
        ),
        "a model made elsewhere": dossier_of(
            origin="external", estimator="", parameters=Facts(), scores=(), training_rows=None
        ),
        "a model of which nothing is said": dossier_of(facts=ModelFacts()),
        "a regression": dossier_of(model=regression),
        "a person's rejection": dossier_of(approvals=(approval,)),
    }


def approved_at(at: datetime) -> Dossier:
    """A dossier that a person approved then, for a day."""
    dossier = dossier_of()
    approval = Approval(
        id="approval-1",
        dossier=dossier.digest,
        decision="approve",
        reason="read it",
        actor="ben",
        at=at,
        expires=at + timedelta(days=1),
    )
    return attrs.evolve(dossier, approvals=(approval,))
