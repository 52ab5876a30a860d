"""Review: the dossier is put together, judged, and, where everything holds, released."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import canonical, decode, digest_of, encode
from interlock.errors import ApprovalNeeded, GateRefused, HookFailed
from interlock.ids import new_id, short
from interlock.ledger import Entry
from interlock.lifecycle.aliases import foreign_move
from interlock.lifecycle.champions import held_against
from interlock.lifecycle.context import Context, Result
from interlock.lifecycle.decision import (
    REFUSED,
    RELEASED,
    WAITING,
    Objection,
    Outcome,
    decide_outcome,
)
from interlock.lifecycle.endpoints import endpoint_of
from interlock.lifecycle.people import runners_of
from interlock.lifecycle.precedents import dropped_policies
from interlock.lifecycle.releases import rejected_since, rejections, unfit
from interlock_hookspecs import (
    Approval,
    Artifact,
    Candidate,
    Dossier,
    Facts,
    Release,
    Verdict,
)

if TYPE_CHECKING:
    from interlock.ledger.values import Row
    from interlock.session import Session


def inputs(context: Context) -> Mapping[str, Any] | None:
    """None: approvals come and expire, so a review is held each time it is asked for."""


def perform(context: Context) -> Result:
    """Judge the dossier; release it, or say why not.

    Raises:
        GateRefused, ApprovalNeeded: after the review was recorded.
    """
    session = context.session
    dossier = make_dossier(context)
    verdicts, outcome = judge(session, dossier)
    try:
        card = _card(context, dossier, verdicts)
    except HookFailed as error:
        # What people are to read before they decide is not there.
        also = outcome.reasons if outcome.outcome == REFUSED else ()
        card, outcome = None, Outcome(outcome=REFUSED, reasons=(*also, session.redact(str(error))))
    kept = session.store.keep_bytes(canonical(encode(dossier)), name="dossier.json")
    entry = Entry(
        "review.held",
        new_id("review"),
        {
            "run": context.run_id,
            "dossier": dossier.digest,
            "artifact": encode(kept),
            "card": encode(card) if card else None,
            "verdicts": encode(verdicts),
            "outcome": outcome.outcome,
            "reasons": list(outcome.reasons),
        },
        context.run_id,
    )
    if outcome.outcome != RELEASED:
        session.ledger.append_all(session.project, [entry])
        raise _stopped(context, outcome)
    release, made = _release(context, dossier)
    how = "released" if made else f"released before, as {short(release.id)}"
    return Result(
        outputs={"dossier": dossier.digest, "release": encode(release)},
        entries=(entry, *made),
        text=f"{how}: {len(verdicts)} verdicts hold, {len(outcome.approvals)} approvals",
        anew=bool(made),
    )


def make_dossier(context: Context) -> Dossier:
    """Everything that is judged, under one digest, with the approvals given to that digest."""
    session, candidate = context.session, context.candidate
    checks = (*context.data_checks, *context.checks)
    identity = {
        "project": session.project,
        "stack": session.stack.name,
        "endpoint": session.stack.endpoint,
        "model": candidate.model.digest,
        "data": context.dataset.digest,
        "checks": encode(checks),
        "policy": encode(session.stack.policy),
        "code": context.code,
        "threshold": context.task.threshold,
        "facts": encode(session.stack.model),
        "origin": candidate.origin,
    }
    packaged = context.packaged if context.has("packaged") else None
    if packaged is not None:
        identity["packaged"] = packaged.digest
    digest = digest_of(identity)
    run = session.ledger.reads.run(context.run_id)
    champion = held_against(context, "champion")
    return Dossier(
        digest=digest,
        run=context.run_id,
        project=session.project,
        stack=session.stack.name,
        model=candidate.model,
        data=context.dataset.digest,
        code=context.code,
        threshold=context.task.threshold,
        checks=checks,
        policy=session.stack.policy,
        facts=session.stack.model,
        origin=candidate.origin,
        packaged=packaged,
        estimator=candidate.estimator,
        parameters=candidate.parameters,
        scores=candidate.scores,
        training_rows=candidate.rows,
        source=context.source,
        lineage=_lineage(candidate, run),
        approvals=approvals_of(session, digest, runners=runners_of(run) if run else frozenset()),
        champion=champion.model if champion else None,
    )


def _lineage(candidate: Candidate, run: Row | None) -> Facts:
    """What the run knows of itself and, of a model that was made elsewhere, what is said of it."""
    facts = run["body"]["facts"] if run else {}
    return Facts(facts if candidate.origin == "trained" else {**candidate.facts, **facts})


def approvals_of(
    session: Session, dossier: str, *, runners: frozenset[str]
) -> tuple[Approval, ...]:
    """What people said of a dossier, oldest first.

    Two runs may come to one dossier: an approval by whoever started this one is their own.
    """
    rows = session.ledger.reads.approvals(project=session.project, dossier=dossier, limit=None)
    given = [decode(Approval, row["body"]) for row in reversed(rows)]
    return tuple(
        attrs.evolve(one, self_approved=one.self_approved or one.actor in runners) for one in given
    )


def judge(session: Session, dossier: Dossier) -> tuple[tuple[Verdict, ...], Outcome]:
    """The verdicts of every plugin, and what core makes of them. A hook that failed refuses."""
    try:
        verdicts = session.funnel.every("review", dossier=dossier)
    except HookFailed as error:
        return (), Outcome(outcome=REFUSED, reasons=(session.redact(str(error)),))
    objections = objections_to(session, dossier)
    outcome = decide_outcome(dossier, verdicts, datetime.now(UTC), objections)
    stopped = (*dropped_policies(session, dossier.run), *_foreign_alias(session))
    if stopped:
        also = outcome.reasons if outcome.outcome == REFUSED else ()
        return verdicts, Outcome(outcome=REFUSED, reasons=stopped + also)
    if outcome.outcome == WAITING and (release := _standing(session, dossier)):
        # Who runs it once more, and how old its approvals are, takes nothing back.
        reasons = (f"{short(release['id'])} of this dossier stands: nothing is released anew",)
        outcome = attrs.evolve(outcome, outcome=RELEASED, reasons=reasons)
    return verdicts, outcome


def _standing(session: Session, dossier: Dossier) -> Row | None:
    """The release that a dossier has at this endpoint, and that may be served there."""
    reads, endpoint, now = session.ledger.reads, endpoint_of(session), datetime.now(UTC)
    for row in reads.releases(project=session.project, dossier=dossier.digest):
        if not unfit(reads, row, endpoint, now) and not rejected_since(reads, row):
            return row
    return None


def _foreign_alias(session: Session) -> tuple[str, ...]:
    """Why a champion that somebody made in the registry stops a release; it makes none of its own.

    Raises:
        HookFailed: the registry cannot be asked, so that nobody knows.
    """
    told = foreign_move(session)
    if not told:
        return ()
    if session.stack.policy.external_aliases == "report":
        session.reporter.warn(told)
        return ()
    return (f"{told}; interlock models reconcile --mend puts it back",)


def objections_to(session: Session, dossier: Dossier) -> tuple[Objection, ...]:
    """What was said against this model before: a changed dossier does not wash it away."""
    reads, project, model = session.ledger.reads, session.project, dossier.model.digest
    found = [
        Objection(
            text=f"{row['revoked_by']} revoked {short(row['id'])} of this model: "
            f"{row['revoked_reason']}; it needs an approval given since",
            at=datetime.fromisoformat(row["revoked_at"]),
        )
        for row in reads.releases(project, model=model, stack=session.stack.name, limit=None)
        if row["revoked_at"] is not None
    ]
    for said in rejections(reads, project, session.stack.name, model):
        if said["dossier"] != dossier.digest:
            text = f"{said['actor']} rejected this model before: {said['reason']}; "
            text += "it needs an approval given since"
            found.append(Objection(text=text, at=datetime.fromisoformat(said["at"])))
    return tuple(found)


def _release(context: Context, dossier: Dossier) -> tuple[Release, tuple[Entry, ...]]:
    """The release that this dossier has already at this endpoint, or a new one."""
    session = context.session
    if standing := _standing(session, dossier):
        return decode(Release, standing["body"]), ()
    endpoint, now = endpoint_of(session), datetime.now(UTC)
    days = dossier.policy.release_days
    release = Release(
        id=new_id("release"),
        run=context.run_id,
        project=session.project,
        stack=session.stack.name,
        endpoint=endpoint.name,
        model=dossier.model.digest,
        dossier=dossier.digest,
        threshold=dossier.threshold,
        number=context.version.number if context.has("version") else "",
        at=now,
        expires=now + timedelta(days=days) if days else None,
    )
    payload = {"run": context.run_id, "record": encode(release)}
    return release, (Entry("release.made", release.id, payload, context.run_id),)


def _card(context: Context, dossier: Dossier, verdicts: tuple[Verdict, ...]) -> Artifact | None:
    funnel = context.session.funnel
    if not funnel.has("render_card"):
        return None
    sections = sorted(funnel.every("describe_model", dossier=dossier), key=lambda part: part.order)
    card: Artifact = funnel.one(
        "render_card",
        dossier=dossier,
        sections=tuple(sections),
        verdicts=verdicts,
        ws=context.workspace,
    )
    return card


def _stopped(context: Context, outcome: Outcome) -> Exception:
    reasons = "\n".join(f"  - {reason}" for reason in outcome.reasons)
    run = short(context.run_id)
    if outcome.outcome == REFUSED:
        return GateRefused(
            f"the gates refuse this model:\n{reasons}", hint=f"interlock review {run} --explain"
        )
    return ApprovalNeeded(
        f"this model waits for a person:\n{reasons}",
        hint=f'interlock approve {run} --reason "..." and then interlock run --resume {run}',
    )
