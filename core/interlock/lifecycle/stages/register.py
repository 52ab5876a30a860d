"""Register: the model becomes a numbered version, its id on record before the registry is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlock.codec import encode
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.context import Context, Result
from interlock_hookspecs import Facts


def inputs(context: Context) -> Mapping[str, Any] | None:
    """The model, its name, the registry, and the run: only the registry knows what it still has."""
    return {
        "run": context.run_id,
        "model": context.candidate.model.digest,
        "name": context.session.project,
        "makers": encode(context.session.funnel.makers("register_version")),
    }


def perform(context: Context) -> Result:
    """Ask the registry, with the id of an earlier attempt of this run where there was one."""
    session = context.session
    model = context.candidate.model
    intended = session.ledger.reads.intended_version(context.run_id)
    version_id = intended or new_id("version")
    if intended is None:
        session.ledger.append(
            session.project,
            "version.intended",
            version_id,
            {"run": context.run_id, "name": session.project, "model": model.digest},
            run=context.run_id,
        )
    facts = Facts(
        {
            "run": context.run_id,
            "data": context.dataset.digest,
            "code": context.code,
            "estimator": context.candidate.estimator,
        }
    )
    version = session.funnel.one(
        "register_version",
        name=session.project,
        id=version_id,
        model=model,
        facts=facts,
        ws=context.workspace,
    )
    record = encode(version)
    entry = Entry(
        "version.registered",
        version_id,
        {
            "run": context.run_id,
            "name": version.name,
            "number": version.number,
            "model": model.digest,
            "existing": version.existing,
            "record": record,
        },
        context.run_id,
    )
    again = " (the registry had this digest already)" if version.existing else ""
    return Result(
        outputs={"version": record},
        entries=(entry,),
        text=f"{version.name} version {version.number}{again}",
        anew=not version.existing,
    )
