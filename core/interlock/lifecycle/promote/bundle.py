"""What leaves a stack with a version: the bytes, the dossier, the stages behind it, its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import canonical, decode, encode
from interlock.errors import GateRefused, Tampered, UsageError
from interlock.ids import short
from interlock.lifecycle.audit import artifacts_in
from interlock.lifecycle.dossiers import dossier_of
from interlock.lifecycle.people import runners_of
from interlock.lifecycle.releases import record_refusal
from interlock_hookspecs import Artifact, Dossier, ModelVersion

if TYPE_CHECKING:
    from interlock.session import Session

EVIDENCE = ("data", "train", "validate")
"""The stages whose outputs go along."""


@attrs.frozen(kw_only=True)
class Bundle:
    """A version and all that is known of it.

    Attributes:
        version: as the ledger that it leaves has it.
        stages: for each stage of the evidence, the id of its execution and its outputs.
        dossier: what it was judged by.
        origin: where it comes from: ledger, head of the chain, stack, run, the people who ran it,
            dossier with its artifact, outcome, history.
        run: the run's body: task, code, facts.
        artifacts: everything to copy.
    """

    version: ModelVersion
    stages: Mapping[str, tuple[str, Mapping[str, Any]]]
    dossier: Dossier
    origin: Mapping[str, Any]
    run: Mapping[str, Any]
    artifacts: tuple[Artifact, ...]


def gather(session: Session, text: str) -> Bundle:
    """Put together what goes along with a version; the ledger that tells of it is verified first.

    Args:
        session: the stack that it leaves.
        text: a version, a digest or a run.

    Raises:
        UsageError: there is no such version, no run made it, or it was not reviewed as it is.
        GateRefused: the gates or a person refused it here, or a release of it was revoked.
        Tampered: the ledger does not verify.
    """
    from interlock.ledger import head, verify

    version, run, review = _found(session, text)
    report = verify(session.ledger, session.project)
    if not report.ok:
        msg = f"the ledger of {session.stack.name} does not verify: {report.problems[0]}"
        raise Tampered(msg, hint="interlock audit verify")
    _refuse_unwanted(session, version, run, review)
    dossier, stages = dossier_of(session, review), _stages(session, run["id"])
    _refuse_other_evidence(run["id"], version, dossier, stages)
    stands = head(session.ledger).heads[session.project]
    history = session.store.keep_bytes(_history(session, run["id"]), name="history.json")
    origin = {
        "ledger": session.ledger.id,
        "sequence": stands.sequence,
        "head": stands.digest,
        "stack": session.stack.name,
        "run": run["id"],
        "runners": sorted(runners_of(run)),
        "source": dossier.source,
        "dossier": review["dossier"],
        "artifact": review["body"]["artifact"],
        "outcome": review["outcome"],
        "history": encode(history),
        # Where it had come from before, and before that.
        "origin": run["body"].get("origin"),
    }
    everything = [*(outputs for _, outputs in stages.values()), review["body"], origin]
    artifacts = {one.digest: one for one in artifacts_in(everything)}
    return Bundle(
        version=version,
        stages=stages,
        dossier=dossier,
        origin=origin,
        run=run["body"],
        artifacts=tuple(artifacts.values()),
    )


def _found(
    session: Session, text: str
) -> tuple[ModelVersion, Mapping[str, Any], Mapping[str, Any]]:
    """The version, its run, and that run's last review."""
    reads = session.ledger.reads
    table, row = reads.find(text, project=session.project)
    if table == "runs" and row["version"]:
        table, row = reads.find(row["version"], project=session.project)
    if table != "versions" or row["body"] is None:
        msg = f"{text} is of {table}, and no registered version"
        raise UsageError(msg, hint=f"interlock models --stack {session.stack.name}")
    run = reads.run(row["run"]) if row["run"] else None
    if run is None:
        msg = f"{short(row['id'])} came from no run: there is no evidence that could go along"
        raise UsageError(msg, hint="interlock run makes one")
    if run["stack"] != session.stack.name:
        msg = f"{short(row['id'])} is of the stack {run['stack']!r}"
        raise UsageError(msg, hint=f"add --stack {run['stack']}")
    review = reads.latest_review(run["id"])
    if review is None:
        msg = f"{short(run['id'])} was not reviewed: there is no dossier that could go along"
        raise UsageError(msg, hint=f"interlock review {short(run['id'])}")
    return decode(ModelVersion, row["body"]), run, review


def _refuse_unwanted(
    session: Session,
    version: ModelVersion,
    run: Mapping[str, Any],
    review: Mapping[str, Any],
) -> None:
    """What the gates or a person said no to does not travel to where nobody has heard it."""
    reads, project = session.ledger.reads, session.project
    why = ""
    if review["outcome"] == "refused":
        why = f"{session.stack.name} refuses it: {review['reasons'][0]}"
    said = {
        row["actor"]: row for row in reversed(reads.approvals(project, run=run["id"], limit=None))
    }
    for row in said.values():
        if row["decision"] == "reject":
            why = f"{row['actor']} rejected it: {row['reason']}"
    for row in reads.releases(project, model=version.model.digest, limit=None):
        if row["revoked_at"] is not None:
            why = f"{row['revoked_by']} revoked {short(row['id'])} of it: {row['revoked_reason']}"
    if why:
        record_refusal(session, version.id, what="promote", reason=why, run=run["id"])
        raise GateRefused(why, hint=f"interlock review {short(run['id'])} --explain")


def _stages(session: Session, run: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    found = {}
    for name in EVIDENCE:
        row = session.ledger.reads.finished_stage(run, name)
        if row is None:
            msg = f"{short(run)} has no result of the stage {name}"
            raise UsageError(msg, hint=f"interlock run --resume {short(run)}")
        found[name] = (str(row["id"]), row["outputs"])
    return found


def _refuse_other_evidence(
    run: str,
    version: ModelVersion,
    dossier: Dossier,
    stages: Mapping[str, tuple[str, Mapping[str, Any]]],
) -> None:
    """The dossier must be of this version, and of what the stages found last."""
    checks = [*stages["data"][1]["data_checks"], *stages["validate"][1]["checks"]]
    model = stages["train"][1]["candidate"]["model"]["artifact"]["digest"]
    of_it = version.model.digest == dossier.model.digest == model
    if not of_it or checks != encode(dossier.checks):
        msg = f"{short(run)} was trained or validated again since its last review"
        raise UsageError(msg, hint=f"interlock review {short(run)}")


def _history(session: Session, run: str) -> bytes:
    """The events of a run as they stand in their chain, for whoever reads them elsewhere."""
    events = session.ledger.reads.events(session.project, run=run, after=0, limit=None)
    return canonical([dict(event) for event in events])
