"""Train: the training rows go to the trainer, a candidate comes back; or one made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.codec import encode
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.facts import named_files
from interlock.lifecycle.imports import bring, imported, inputs_of
from interlock_hookspecs import Candidate


def inputs(context: Context) -> Mapping[str, Any] | None:
    """The rows, the task, the code, and the trainer with its settings, or what is brought."""
    source = imported(context)
    return {
        "data": context.dataset.digest,
        "task": context.asked,
        "project": context.session.project,
        "code": context.code,
        **(_fitting(context) if source is None else {"imported": inputs_of(context, source)}),
    }


def _fitting(context: Context) -> Mapping[str, Any]:
    """The trainer, its settings, and the project's files that they name: a script, say."""
    makers = context.session.funnel.inputs("fit_candidate")
    files = named_files((maker.settings for maker in makers), context.session.stack.root)
    return {"makers": encode(makers), **({"files": files} if files else {})}


def perform(context: Context) -> Result:
    """Fit a candidate to the rows that are not held out, or bring it."""
    source = imported(context)
    candidate = _fit(context) if source is None else bring(context, source)
    record = encode(candidate)
    entry = Entry(
        "candidate.made",
        new_id("candidate"),
        {
            "run": context.run_id,
            "record": record,
            "model": candidate.model.digest,
            "data": context.dataset.digest,
        },
        context.run_id,
    )
    return Result(outputs={"candidate": record}, entries=(entry,), text=_text(context, candidate))


def _fit(context: Context) -> Candidate:
    candidate: Candidate = context.session.funnel.one(
        "fit_candidate", rows=context.training, task=context.task, ws=context.workspace
    )
    return candidate


def _text(context: Context, candidate: Candidate) -> str:
    if candidate.origin != "trained":
        return f"{candidate.estimator}, {candidate.origin}: its lineage is unknown here"
    scores = ", ".join(f"{score.name} {score.mean:.3f}" for score in candidate.scores)
    name = candidate.estimator.rpartition(".")[2]
    return f"{name} on {context.training.num_rows:,} rows" + (
        f", cross-validated {scores}" if scores else ""
    )
