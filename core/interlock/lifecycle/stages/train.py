"""Train: the training rows go to the trainer, a candidate comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.codec import encode
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.context import Context, Result


def inputs(context: Context) -> Mapping[str, Any] | None:
    """The rows, the task, the code, and the trainer with its settings."""
    return {
        "data": context.dataset.digest,
        "task": context.asked,
        "project": context.session.project,
        "code": context.code,
        "makers": encode(context.session.funnel.inputs("fit_candidate")),
    }


def perform(context: Context) -> Result:
    """Fit a candidate to the rows that are not held out."""
    candidate = context.session.funnel.one(
        "fit_candidate", rows=context.training, task=context.task, ws=context.workspace
    )
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
    scores = ", ".join(f"{score.name} {score.mean:.3f}" for score in candidate.scores)
    return Result(
        outputs={"candidate": record},
        entries=(entry,),
        text=f"{candidate.estimator.rpartition('.')[2]} on {context.training.num_rows:,} rows"
        + (f", cross-validated {scores}" if scores else ""),
    )
