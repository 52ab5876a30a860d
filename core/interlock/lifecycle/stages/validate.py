"""Validate: the candidate is opened from its file and measured on rows it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.codec import encode
from interlock.ledger import Entry
from interlock.lifecycle.champions import held_against
from interlock.lifecycle.context import Context, Result, measured, warn_of_concerns
from interlock.lifecycle.packaging import package, packager_of
from interlock.lifecycle.predictors import Remembering
from interlock.lifecycle.releases import model_of
from interlock_hookspecs import decide


def inputs(context: Context) -> Mapping[str, Any] | None:
    """The model, the rows, the champion, the task, the code, and who measures and packages."""
    funnel = context.session.funnel
    champion = held_against(context, "champion")
    return {
        "model": context.candidate.model.digest,
        "data": context.dataset.digest,
        "champion": champion.model if champion else None,
        "task": context.asked,
        "code": context.code,
        "makers": encode((*funnel.inputs("check_model"), *funnel.inputs("build_profile"))),
        **({"package": encode(maker)} if (maker := packager_of(context)) else {}),
    }


def perform(context: Context) -> Result:
    """Run every ``check_model``, package the model where asked, and build reference profiles.

    Raises:
        GateRefused: a model that cannot be measured is not let through.
    """
    funnel, ws, task = context.session.funnel, context.workspace, context.task
    predictor = Remembering(ws.open_model(context.candidate.model))
    champion = held_against(context, "champion")
    rival = Remembering(ws.open_model(model_of(context.session, champion))) if champion else None
    checks = measured(
        context,
        "check_model",
        predictor=predictor,
        heldout=context.heldout,
        training=context.training,
        task=task,
        champion=rival,
    )
    packaged = package(context, predictor)
    checks = (*checks, *packaged.checks)
    if packaged.reason:
        word = context.session.stack.package
        context.session.reporter.warn(f"not served as {word}: {packaged.reason}")
    answers = decide(predictor.predict(context.heldout), predictor.signature, task.threshold)
    profiles = funnel.every(
        "build_profile", rows=context.heldout, predictions=answers, task=task, ws=ws
    )
    warn_of_concerns(context, checks)
    outputs = {
        "checks": encode(checks),
        "profiles": encode(profiles),
        "packaged": encode(packaged.model) if packaged.model else None,
        "champion": champion.id if champion else None,
    }
    model = context.candidate.model.digest
    entries = (
        Entry(
            "checks.measured",
            context.run_id,
            {"phase": "model", "model": model, "checks": outputs["checks"]},
            context.run_id,
        ),
        Entry("profiles.built", context.run_id, {"profiles": outputs["profiles"]}, context.run_id),
    )
    return Result(outputs=outputs, entries=entries, text=_headline(context, len(checks), checks))


def _headline(context: Context, count: int, checks: tuple[Any, ...]) -> str:
    bounds = {bound.key for bound in context.session.stack.policy.bounds}
    named = [check for check in checks if check.key in bounds and check.value is not None]
    shown = ", ".join(f"{check.label} {check.value:.3f}" for check in named[:4])
    held = f"{count} checks on {context.heldout.num_rows:,} held-out rows"
    return f"{held}: {shown}" if shown else held
