"""How a release comes to an endpoint: at once, or by the first step of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, encode
from interlock.errors import UsageError
from interlock.ids import new_id, short
from interlock.lifecycle import endpoints
from interlock.lifecycle.releases import rejected_since, served_model, unfit, verified_release
from interlock.lifecycle.rollouts.evidence import is_counted
from interlock.lifecycle.rollouts.state import Rollout, open_rollout, unmoved
from interlock_hookspecs import Deployment, Release

if TYPE_CHECKING:
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.ledger import Reads
    from interlock.ledger.values import Row
    from interlock.session import Session


@attrs.frozen(kw_only=True)
class Deployed:
    """What a deployment came to.

    Attributes:
        deployment: of the endpoint.
        rollout: what is on its way; None where the release has taken over.
    """

    deployment: Deployment
    rollout: Rollout | None = None


def deploy_release(session: Session, release_id: str, *, workspace: CoreWorkspace) -> Deployed:
    """Bring a release to this stack's endpoint, as the stack's rollout says.

    Where nothing is live yet, or what is live may be served no longer, there is nothing to go
    back to and nothing to compare with: the release takes over at once. So does one that is of the
    model that is live and decides as it does. A rollout of another release that is under way is
    superseded.

    Raises:
        GateRefused: the ledger does not let the release be served here.
        UsageError: the stack's deploy plugin cannot roll out.
        InterlockError: the endpoint did not come to serve it.
    """
    endpoint = endpoints.endpoint_of(session)
    release = verified_release(session, release_id, endpoint, what="deploy")
    refuse_unable(session)
    under_way = open_rollout(session)
    if under_way is not None and under_way.release != release_id:
        close(session, under_way, f"superseded by {short(release_id)}")
        under_way = None
    if under_way is not None:
        return Deployed(deployment=_standing(session), rollout=under_way)
    live = _fit_champion(session)
    at_once = session.stack.rollout.strategy == "all-at-once"
    if at_once or live is None or _answers_alike(session, release, live):
        served = endpoints.serve_release(session, release_id, reason="deploy", workspace=workspace)
        return Deployed(deployment=served)
    # The champion is brought to where the release is to join it: its server may have ended, or
    # the stack may name another.
    endpoints.serve_release(session, str(live["id"]), reason="deploy", workspace=workspace)
    _begin(session, release_id, str(live["id"]))
    return Deployed(deployment=_standing(session), rollout=open_rollout(session))


def stay(session: Session, workspace: CoreWorkspace) -> Deployment | None:
    """Leave an endpoint with what is live there, and bring that back where its server has ended.

    A rollout that is under way goes on.

    Returns:
        The deployment; None where nothing is deployed.

    Raises:
        InterlockError: the endpoint did not come to serve it.
    """
    live = _fit_champion(session)
    rejected = live is not None and rejected_since(session.ledger.reads, live)
    if live is not None and not rejected and open_rollout(session) is None:
        endpoints.serve_release(session, str(live["id"]), reason="deploy", workspace=workspace)
    return endpoints.current_deployment(session)


def _fit_champion(session: Session) -> Row | None:
    """What is live and may be served on; None where there is nothing to go back to."""
    from datetime import UTC, datetime

    reads, endpoint = session.ledger.reads, endpoints.endpoint_of(session)
    live = reads.champion(session.project, endpoint.stack, endpoint.name)
    if live is None or unfit(reads, live, endpoint, datetime.now(UTC)):
        return None
    return live


def _answers_alike(session: Session, release: Release, live: Mapping[str, Any]) -> bool:
    """Whether a release gives the answers of the one that is live: a canary would show nothing."""
    champion = decode(Release, live["body"])
    if release.id == champion.id:
        return True
    same = served_model(session, release).digest == served_model(session, champion).digest
    return same and release.threshold == champion.threshold


def refuse_unable(session: Session) -> None:
    """Refuse a rollout in steps through a plugin that does not claim to be able to.

    Raises:
        UsageError: it does not tell what each release was asked, or what rows a bound is of.
    """
    strategy, funnel = session.stack.rollout.strategy, session.funnel
    deploys = funnel.has("serve_endpoint") or funnel.has("apply_endpoint")
    if strategy == "all-at-once" or not deploys:
        return
    words = ", ".join(session.stack.selected("deploy")) or "none"
    where = f"[stack.{session.stack.name}.rollout]"
    if not funnel.has("read_traffic"):
        msg = (
            f'{where} strategy = "{strategy}": the deploy plugin '
            f"({words}) does not tell what each release is asked (read_traffic)"
        )
        raise UsageError(msg, hint='strategy = "all-at-once", or deploy = "local"')
    if funnel.has("apply_endpoint") and not funnel.has("read_captures"):
        rows = [bound.key for bound in session.stack.rollout.bounds if not is_counted(bound.key)]
        if rows:
            msg = (
                f"{where} bounds {rows[0]}: the deploy plugin ({words}) does not read back what "
                "it answered (read_captures)"
            )
            raise UsageError(msg, hint="bound rollout.error_rate or rollout.refusal_rate instead")


def close(session: Session, rollout: Rollout, reason: str) -> None:
    """End a rollout because of what comes instead; that says what is served."""
    session.ledger.append(
        session.project,
        "rollout.ended",
        rollout.id,
        {"outcome": "superseded", "reason": reason},
        guard=unmoved(rollout),
    )


def _begin(session: Session, release_id: str, champion: str) -> None:
    endpoint = endpoints.endpoint_of(session)
    payload = {
        "stack": endpoint.stack,
        "endpoint": endpoint.name,
        "release": release_id,
        "champion": champion,
        "record": encode(session.stack.rollout),
    }

    def alone(reads: Reads) -> None:
        if reads.open_rollout(session.project, endpoint.stack, endpoint.name):
            msg = f"another process began a rollout at {endpoint.name} meanwhile"
            raise UsageError(msg, hint="interlock rollout status")

    session.ledger.append(session.project, "rollout.begun", new_id("rollout"), payload, guard=alone)


def _standing(session: Session) -> Deployment:
    deployment = endpoints.current_deployment(session)
    if deployment is None:
        msg = f"nothing is deployed at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock run")
    return deployment
