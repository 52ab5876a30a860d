"""What people decide: approvals and rejections of a dossier, and revocations of a release."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from interlock.codec import encode
from interlock.errors import GateRefused, UsageError
from interlock.ids import new_id, short
from interlock.ledger import Entry
from interlock.lifecycle.releases import record_refusal
from interlock_hookspecs import Approval

if TYPE_CHECKING:
    from interlock.session import Session


def runners_of(run: Mapping[str, Any]) -> frozenset[str]:
    """Who started a run, here and, where it was promoted, wherever it comes from."""
    origin = run["body"].get("origin") or {}
    return frozenset({str(run["actor"]), *origin.get("runners", ())})


def decide(session: Session, run: Mapping[str, Any], *, decision: str, reason: str) -> Approval:
    """Record a person's yes or no to the dossier that a run's last review was held on.

    It releases nothing by itself: ``interlock run --resume`` reviews again.

    Args:
        session: who decides is its actor.
        run: the run's row in the ledger.
        decision: ``approve`` or ``reject``.
        reason: in the person's words.

    Raises:
        UsageError: nothing was reviewed, or no reason was given.
        GateRefused: the gates refused the dossier, or the person started the run and the policy
            does not let them approve it.
    """
    if not reason.strip():
        msg = "a decision needs a reason"
        raise UsageError(msg, hint='add --reason "..."')
    review = session.ledger.reads.latest_review(run["id"])
    if review is None:
        msg = f"{short(run['id'])} was not reviewed yet"
        raise UsageError(msg, hint=f"interlock review {short(run['id'])}")
    policy = run["body"]["policy"]
    own = session.actor.subject in runners_of(run)
    if decision == "approve":
        _may_approve(session, run, review, own=own, self_approval=policy["self_approval"])
    now = datetime.now(UTC)
    days = policy["approval_days"]
    approval = Approval(
        id=new_id("approval"),
        dossier=review["dossier"],
        decision=decision,
        reason=reason.strip(),
        actor=session.actor.subject,
        verified=session.actor.verified,
        self_approved=own,
        at=now,
        expires=now + timedelta(days=days) if days and decision == "approve" else None,
    )
    payload = {"run": run["id"], "record": encode(approval)}
    session.ledger.append_all(
        session.project, [Entry("approval.given", approval.id, payload, run["id"])]
    )
    return approval


def _may_approve(
    session: Session,
    run: Mapping[str, Any],
    review: Mapping[str, Any],
    *,
    own: bool,
    self_approval: bool,
) -> None:
    run_id, who = run["id"], session.actor.subject
    if review["outcome"] == "refused":
        msg = f"the gates refuse {short(run_id)}: an approval would not open them"
        record_refusal(session, run_id, what="approve", reason=msg, run=run_id)
        raise GateRefused(msg, hint=f"interlock review {short(run_id)} --explain")
    if own and not self_approval:
        started = run_id if run["actor"] == who else run["body"]["origin"]["run"]
        what = f"{who} started {short(started)} and may not approve it"
        record_refusal(session, run_id, what="approve", reason=what, run=run_id)
        hint = "somebody else approves it, as themselves (INTERLOCK_ACTOR names who acts)"
        raise GateRefused(what, hint=hint)


def revoke(session: Session, release: Mapping[str, Any], *, reason: str) -> None:
    """Withdraw a release: servers drop it, and no deploy, restart or rollback takes it again.

    Raises:
        UsageError: it is revoked already, or no reason was given.
    """
    if not reason.strip():
        msg = "a revocation needs a reason"
        raise UsageError(msg, hint='add --reason "..."')
    if release["revoked_at"] is not None:
        msg = f"{short(release['id'])} is revoked already: {release['revoked_reason']}"
        raise UsageError(msg)
    session.ledger.append(
        session.project,
        "release.revoked",
        release["id"],
        {"reason": reason.strip()},
        run=release["run"],
    )
