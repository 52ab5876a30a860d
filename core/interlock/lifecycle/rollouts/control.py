"""The controller of a rollout: one look after another, each from what the ledger says.

What is to be done stands in the ledger before it is done, and doing it twice is doing it once. So
a controller that is killed anywhere leaves a rollout that the next look goes on with.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, encode
from interlock.errors import GateRefused, HookFailed, InterlockError, LedgerError, UsageError
from interlock.lifecycle import endpoints
from interlock.lifecycle.aliases import move_champion
from interlock.lifecycle.elsewhere import host_of, is_out_of_reach
from interlock.lifecycle.releases import (
    find_last_good,
    last_good_release,
    unfit,
    verified_release,
)
from interlock.lifecycle.rollouts.evidence import counts_of, gather
from interlock.lifecycle.rollouts.judge import Decision, Seen, judge, lines
from interlock.lifecycle.rollouts.state import Moved, Rollout, open_rollout, rollout_of, unmoved
from interlock_hookspecs import Deployment, Release, Target, Traffic

if TYPE_CHECKING:
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.session import Session

_SETTLE_SECONDS = 120.0
_SILENT_SECONDS = 30.0
_POLL_SECONDS = 0.05


@attrs.frozen(kw_only=True)
class Look:
    """How a rollout is after a look at it.

    Attributes:
        rollout: as the ledger has it now.
        seen: what was measured in the last look; None where nothing was to be measured.
        waits_for: what a step that goes on still lacks; empty where it ended or holds.
    """

    rollout: Rollout
    seen: Seen | None = None
    waits_for: str = ""


def advance(session: Session, workspace: CoreWorkspace, rollout: Rollout | None = None) -> Look:
    """Do whatever is due in this stack's rollout, until it has to wait, holds, or has ended.

    Args:
        session: the opened stack.
        workspace: for the hooks.
        rollout: the one that was looked at before, which may have ended meanwhile; by default
            the one that is open.

    Raises:
        UsageError: nothing is being rolled out.
        HookFailed: the endpoint does not tell its counts.
        LedgerError: what was decided cannot be recorded; then nothing was done.
    """
    rollout = _open(session) if rollout is None else _again(session, rollout)
    while rollout.status == "open":
        try:
            look = _act(session, workspace, rollout)
        except Moved:
            look = None
        except HookFailed:
            # Where another controller was there first, a backend may have refused the second.
            if _again(session, rollout).sequence == rollout.sequence:
                raise
            look = None
        if look is not None:
            return look
        rollout = _again(session, rollout)
    return Look(rollout=rollout)


def _act(session: Session, workspace: CoreWorkspace, rollout: Rollout) -> Look | None:
    """Do what is due in one phase; a look where there is nothing to do but wait."""
    if rollout.phase in ("entering", "watching", "holding"):
        standing = endpoints.current_deployment(session)
        if standing is not None and is_out_of_reach(standing):
            lacking = f"{host_of(standing)} alone has its counts: interlock rollout watch there"
            return Look(rollout=rollout, waits_for="" if rollout.phase == "holding" else lacking)
    if rollout.phase in ("watching", "holding"):
        seen, decision = _watch(session, workspace, rollout)
        waits = decision.word == "wait"
        if waits or (rollout.phase == "holding" and decision.word != "rollback"):
            lacking = decision.reason if rollout.phase == "watching" else ""
            return Look(rollout=rollout, seen=seen, waits_for=lacking)
        _decide(session, rollout, decision, seen=seen, by="analysis")
    else:
        act = {"entering": _enter, "finishing": _finish}.get(rollout.phase, _leave)
        act(session, workspace, rollout)
    return None


def promote(session: Session, reason: str) -> Rollout:
    """A person takes a rollout to its next step, whatever is seen of it.

    Raises:
        UsageError: nothing is being rolled out, or no step is watched just now.
    """
    rollout = _open(session)
    if rollout.phase not in ("watching", "holding"):
        msg = f"the rollout is {rollout.phase}: there is nothing to decide"
        raise UsageError(msg, hint="interlock rollout advance")
    _decide(session, rollout, Decision(word="promote", reason=reason), by="person")
    return _again(session, rollout)


def abort(session: Session, reason: str) -> Rollout:
    """A person takes the new release out, wherever the rollout is.

    Raises:
        UsageError: nothing is being rolled out.
        GateRefused: there is nothing to go back to; nothing was decided.
    """
    rollout = _open(session)
    if rollout.phase not in ("leaving", "aborting"):
        if nowhere := _nowhere(session, rollout):
            hint = "interlock undeploy ends the endpoint; interlock deploy brings another release"
            raise GateRefused(nowhere, hint=hint)
        _decide(session, rollout, Decision(word="rollback", reason=reason), by="person")
    return _again(session, rollout)


def _open(session: Session) -> Rollout:
    rollout = open_rollout(session)
    if rollout is None:
        msg = f"nothing is being rolled out at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock deploy begins a rollout where the stack has one")
    return rollout


def _again(session: Session, rollout: Rollout) -> Rollout:
    row = session.ledger.reads.rollout(rollout.id)
    if row is None:
        msg = f"the ledger has no rollout {rollout.id}"
        raise LedgerError(msg, hint="interlock audit verify")
    return rollout_of(row)


def _decide(
    session: Session,
    rollout: Rollout,
    decision: Decision,
    *,
    by: str,
    seen: Seen | None = None,
) -> None:
    following = None
    if decision.word == "promote" and not rollout.last:
        following = rollout.at + 1
    payload: dict[str, Any] = {
        "step": rollout.at,
        "decision": decision.word,
        "to": following,
        "by": by,
        "reason": session.redact(decision.reason),
        "requests": seen.requests if seen else None,
        "seconds": seen.seconds if seen else None,
        "evidence": lines(rollout.plan, seen) if seen and seen.evidence else [],
    }
    _append(session, rollout, "rollout.judged", payload)


def _append(session: Session, rollout: Rollout, kind: str, payload: Mapping[str, Any]) -> None:
    session.ledger.append(session.project, kind, rollout.id, dict(payload), guard=unmoved(rollout))


def _watch(
    session: Session, workspace: CoreWorkspace, rollout: Rollout
) -> tuple[Seen | None, Decision]:
    """What is seen, and what follows; without a release to go back to a person has to say."""
    seen, decision = _seen(session, workspace, rollout)
    if decision.word == "rollback" and (nowhere := _nowhere(session, rollout)):
        decision = Decision(word="hold", reason=f"{decision.reason}; {nowhere}")
    return seen, decision


def _nowhere(session: Session, rollout: Rollout) -> str:
    """Why there is nothing to go back to; empty where there is."""
    why = _unfit(session, rollout.champion)
    endpoint, reads = endpoints.endpoint_of(session), session.ledger.reads
    if not why or find_last_good(reads, endpoint, but=rollout.release):
        return ""
    return f"the champion {rollout.champion} {why}, and no other good release was live here"


def _seen(
    session: Session, workspace: CoreWorkspace, rollout: Rollout
) -> tuple[Seen | None, Decision]:
    """What is seen, and what follows; a release that its gates take back is not looked at."""
    why = _unfit(session, rollout.release)
    if why:
        return None, Decision(word="rollback", reason=f"{rollout.release} {why}")
    deployment = _deployment(session)
    if rollout.release not in {target.release.id for target in deployment.targets}:
        return None, Decision(word="rollback", reason="it is served no longer")
    seen = gather(session, workspace, rollout, deployment)
    decision = judge(rollout.plan, seen, last=rollout.last)
    if decision.word in ("wait", "promote") and (why := _unfit(session, rollout.champion)):
        return seen, Decision(word="hold", reason=f"the champion {rollout.champion} {why}")
    return seen, decision


def _unfit(session: Session, release_id: str) -> str:
    reads, endpoint = session.ledger.reads, endpoints.endpoint_of(session)
    row = reads.release(release_id)
    if row is None:
        return "is not in the ledger"
    return unfit(reads, row, endpoint, datetime.now(UTC))


def _deployment(session: Session) -> Deployment:
    deployment = endpoints.current_deployment(session)
    if deployment is None:
        msg = f"nothing is deployed at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock run")
    return deployment


def _enter(session: Session, workspace: CoreWorkspace, rollout: Rollout) -> None:
    """Make the endpoint serve a step; a release that it does not come to serve goes back."""
    step = rollout.step
    try:
        release = verified_release(
            session, rollout.release, endpoints.endpoint_of(session), what="rollout"
        )
        targets = step.targets(
            _target(session, rollout.champion), endpoints.target_for(session, release)
        )
        deployment = endpoints.serve_targets(
            session, targets, reason="rollout", workspace=workspace, guard=unmoved(rollout)
        )
        traffic = _settled(session, deployment, targets)
    except (LedgerError, Moved):
        raise
    except InterlockError as error:
        _decide(session, rollout, Decision(word="rollback", reason=str(error)), by="analysis")
        return
    payload = {"step": rollout.at, "traffic": encode(traffic)}
    _append(session, rollout, "rollout.entered", payload)


def _target(session: Session, release_id: str) -> Target:
    """The champion, which is served already: only what may not be served at all is refused."""
    row = session.ledger.reads.release(release_id)
    why = _unfit(session, release_id)
    if row is None or why:
        msg = f"the champion {release_id} {why}"
        raise GateRefused(msg, hint=f"interlock show {release_id}")
    return endpoints.target_for(session, decode(Release, row["body"]))


def _settled(
    session: Session, deployment: Deployment, targets: tuple[Target, ...]
) -> tuple[Traffic, ...]:
    """The counts of an endpoint once it serves these targets with these weights.

    That it does not answer for a moment, as while a worker is replaced, says nothing of a release.

    Raises:
        InterlockError: it does not come to it.
    """
    wanted = {(one.release.id, one.mirror): 0.0 if one.mirror else one.weight for one in targets}
    heard = time.monotonic()
    deadline = heard + _SETTLE_SECONDS
    while True:
        try:
            counts = counts_of(session, deployment)
        except HookFailed:
            if time.monotonic() > heard + _SILENT_SECONDS:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        heard = time.monotonic()
        told = {(one.release, one.mirror): one.weight for one in counts}
        if told.keys() == wanted.keys() and all(
            abs(told[key] - wanted[key]) < 1e-6  # noqa: PLR2004  (weights are sums of floats)
            for key in wanted
        ):
            return counts
        if time.monotonic() > deadline:
            msg = f"{deployment.address} did not come to serve the step"
            raise InterlockError(msg, hint="interlock deployments")
        time.sleep(_POLL_SECONDS)


def _finish(session: Session, workspace: CoreWorkspace, rollout: Rollout) -> None:
    """The new release takes all, and the alias follows it."""
    try:
        endpoints.serve_release(session, rollout.release, reason="rollout", workspace=workspace)
    except GateRefused as error:
        _decide(session, rollout, Decision(word="rollback", reason=str(error)), by="analysis")
        return
    _append(session, rollout, "rollout.ended", {"outcome": "promoted", "reason": rollout.reason})


def _leave(session: Session, workspace: CoreWorkspace, rollout: Rollout) -> None:
    """The champion takes all again; where it may not be served, the last good release does."""
    live = session.ledger.reads.champion(
        session.project, session.stack.name, session.stack.endpoint
    )
    back = live is not None and live["id"] == rollout.release
    if not _unfit(session, rollout.champion):
        target = _target(session, rollout.champion)
        reason = "rollback" if back else "rollout"
        endpoints.serve_targets(
            session, (target,), reason=reason, workspace=workspace, guard=unmoved(rollout)
        )
        move_champion(session, target.release)
    else:
        endpoint = endpoints.endpoint_of(session)
        release = last_good_release(session, endpoint, but=rollout.release)
        endpoints.serve_release(session, release, reason="rollback", workspace=workspace)
    outcome = "aborted" if rollout.phase == "aborting" else "rolled-back"
    _append(session, rollout, "rollout.ended", {"outcome": outcome, "reason": rollout.reason})
