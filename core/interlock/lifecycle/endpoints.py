"""Endpoints: what serves, what it is to serve, and how it gets there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, encode
from interlock.errors import InterlockError, UsageError
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.aliases import move_champion
from interlock.lifecycle.elsewhere import host_of, is_elsewhere, is_out_of_reach
from interlock.lifecycle.hanging import end_hanging
from interlock.lifecycle.releases import (
    served_model,
    verified_release,
)
from interlock.processes import this_process
from interlock.serving import process
from interlock_hookspecs import (
    Deployment,
    Endpoint,
    Facts,
    Maker,
    Release,
    Target,
)

if TYPE_CHECKING:
    from interlock.artifacts.workspace import CoreWorkspace
    from interlock.ledger.store import Guard
    from interlock.session import Session


def endpoint_of(session: Session) -> Endpoint:
    """The endpoint that this stack serves."""
    stack = session.stack
    return Endpoint(name=stack.endpoint, project=session.project, stack=stack.name)


def serve_release(
    session: Session, release_id: str, *, reason: str, workspace: CoreWorkspace
) -> Deployment:
    """Make this stack's endpoint serve a release, and move the champion alias after it.

    Args:
        session: the opened stack.
        release_id: as the ledger has it.
        reason: ``deploy`` or ``rollback``.
        workspace: for a backend that takes artifacts.

    Raises:
        GateRefused: the ledger does not let the release be served here.
        ArtifactError, Tampered: the model's bytes are gone, or others.
        InterlockError: the endpoint did not come to serve it.
    """
    release = verified_release(session, release_id, endpoint_of(session), what=reason)
    targets = (target_for(session, release),)
    deployment = serve_targets(session, targets, reason=reason, workspace=workspace)
    move_champion(session, release)
    return deployment


def target_for(session: Session, release: Release) -> Target:
    """A release with the model that is served of it.

    Raises:
        ArtifactError, Tampered: the model's bytes are gone, or others.
    """
    model = served_model(session, release)
    # Asked here, not by the server that fails to open it: nothing is to change then.
    session.store.check(model.artifact)
    return Target(release=release, model=model)


def serve_targets(
    session: Session,
    targets: tuple[Target, ...],
    *,
    reason: str,
    workspace: CoreWorkspace,
    guard: Guard | None = None,
) -> Deployment:
    """Make this stack's endpoint serve exactly these; the first is the one that is live.

    Args:
        session: the opened stack.
        targets: what to serve.
        reason: for the record.
        workspace: for a backend that takes artifacts.
        guard: asked in the transaction that writes the intention, so that what was overtaken
            meanwhile changes nothing.

    Raises:
        InterlockError: the endpoint did not come to serve them.
    """
    endpoint, current = endpoint_of(session), current_deployment(session)
    maker, ours = _backend(session, current, reason)
    if ours:
        deployment = _serve(session, maker, endpoint, targets, current, reason, guard)
    else:
        deployment = _apply(session, maker, endpoint, targets, current, reason, workspace, guard)
    _end_others(session, deployment)
    return deployment


def _backend(session: Session, current: Deployment | None, reason: str) -> tuple[Maker, bool]:
    """Who is to make the endpoint, and whether it is a server that core runs.

    A rollback is an emergency: whoever made what serves now takes it back, although the stack may
    name another tool since. The next deployment is that tool's. So with the steps of a rollout.
    """
    if reason in ("rollback", "rollout") and current is not None and current.maker is not None:
        return current.maker, process.is_ours(current)
    elsewhere = session.funnel.makers("apply_endpoint")
    if elsewhere:
        return elsewhere[0], False
    return session.funnel.makers("serve_endpoint")[0], True


def _end_others(session: Session, deployment: Deployment) -> None:
    """End what served this endpoint before, through another tool: it ends when the new one answers.

    Asked of the ledger, so that what a killed process left is ended by the next. One that is newer
    is another command's, which ends this one: two at once must not end each other.
    """
    endpoint = deployment.endpoint
    for row in session.ledger.reads.deployments(
        session.project,
        stack=endpoint.stack,
        endpoint=endpoint.name,
        status="applied",
        limit=None,
    ):
        if row["id"] < deployment.id:
            end_deployment(session, decode(Deployment, row["body"]), reason="replaced")


def current_deployment(session: Session) -> Deployment | None:
    """The deployment of this stack's endpoint; None where nothing is deployed."""
    row = session.ledger.reads.endpoint_deployment(
        session.project, session.stack.name, session.stack.endpoint
    )
    return decode(Deployment, row["body"]) if row else None


def _apply(
    session: Session,
    maker: Maker,
    endpoint: Endpoint,
    targets: tuple[Target, ...],
    current: Deployment | None,
    reason: str,
    workspace: CoreWorkspace,
    guard: Guard | None,
) -> Deployment:
    same = current is not None and current.maker is not None and _is_same(current.maker, maker)
    deployment_id = current.id if current and same else new_id("deployment")
    _intend(session, maker, deployment_id, endpoint, targets, reason, guard)
    try:
        applied: Deployment = session.funnel.owner(
            "apply_endpoint",
            maker,
            endpoint=endpoint,
            id=deployment_id,
            targets=targets,
            ws=workspace,
        )
    except InterlockError as error:
        _failed(session, deployment_id, error)
        raise
    _append(session, "deployment.applied", deployment_id, {"record": encode(applied)})
    return applied


def _is_same(made: Maker, maker: Maker) -> bool:
    """Whether two makers reach one server elsewhere: a newer version of a plugin still does."""
    return (made.plugin, made.settings) == (maker.plugin, maker.settings)


def _serve(
    session: Session,
    maker: Maker,
    endpoint: Endpoint,
    targets: tuple[Target, ...],
    current: Deployment | None,
    reason: str,
    guard: Guard | None,
) -> Deployment:
    """A server of ours: point the living one at the targets, or start one."""
    if current is not None and is_elsewhere(current):
        return _serve_elsewhere(session, maker, targets, current, reason, guard)
    killed = end_hanging(session, current) if current else ""
    if current is not None and current.maker != maker:
        # The stack swapped its server: the new one is a deployment of its own.
        return _start(session, maker, new_id("deployment"), endpoint, targets, reason, killed)
    deployment_id = current.id if current else new_id("deployment")
    if current is None or not process.is_running(current):
        return _start(session, maker, deployment_id, endpoint, targets, reason, killed)
    if _shares(current.targets) != _shares(targets):
        _retarget(session, current, targets, reason, guard)
    deployment = current_deployment(session) or current
    process.wait_until_serving(session, deployment, targets)
    return deployment


def _serve_elsewhere(
    session: Session,
    maker: Maker,
    targets: tuple[Target, ...],
    current: Deployment,
    reason: str,
    guard: Guard | None,
) -> Deployment:
    """A server on another machine: it follows the ledger, and a second one would serve nobody."""
    name, host = current.endpoint.name, host_of(current)
    if current.maker != maker:
        msg = f"{name} is served on {host}, by {current.maker} or with other settings than here"
        raise UsageError(msg, hint=f"deploy it on {host}, or interlock undeploy there first")
    if _shares(current.targets) != _shares(targets):
        _retarget(session, current, targets, reason, guard)
    deployment = current_deployment(session) or current
    if is_out_of_reach(deployment):
        session.reporter.warn(
            f"{name} is served on {host}, which takes over what the ledger says; whether it has, "
            "interlock deployments says there (with --start, this machine serves it instead)"
        )
    else:
        process.wait_until_serving(session, deployment, targets)
    return deployment


def _shares(targets: tuple[Target, ...]) -> list[tuple[str, float, bool]]:
    return [(target.release.id, target.weight, target.mirror) for target in targets]


def _start(
    session: Session,
    maker: Maker,
    deployment_id: str,
    endpoint: Endpoint,
    targets: tuple[Target, ...],
    reason: str,
    killed: str = "",
) -> Deployment:
    _intend(session, maker, deployment_id, endpoint, targets, reason, killed=killed)
    wanted = Deployment(id=deployment_id, endpoint=endpoint, targets=targets, maker=maker)
    try:
        started = process.start(session, wanted)
        process.wait_until_serving(session, started, targets)
    except InterlockError as error:
        _failed(session, deployment_id, error)
        raise
    _append(session, "deployment.applied", deployment_id, {"record": encode(started)})
    return started


def restart(session: Session, *, anew: bool = False) -> Deployment:
    """Start the server of this stack's endpoint again, with what was released there.

    One that lives and hangs is ended first.

    Args:
        session: the opened stack.
        anew: also where one serves: the new one has the settings of now, and that one is ended
            when the new one answers. Where the new one does not come to it, that one serves on.

    Raises:
        UsageError: nothing was deployed.
        GateRefused: what was deployed may no longer be served.
        ArtifactError, Tampered: the model's bytes are gone, or others.
    """
    current = current_deployment(session)
    if current is None:
        msg = f"nothing is deployed at {session.stack.endpoint}"
        raise UsageError(msg, hint="interlock run")
    if current.maker is None or (current.address and not process.is_ours(current)):
        msg = f"{current.endpoint.name} is no server of ours: {current.maker} has it"
        raise UsageError(msg, hint="interlock deployments says how it is")
    verify_targets(session, current, what="start")
    killed = end_hanging(session, current)
    running = process.is_running(current)
    if running and not anew:
        return current
    if is_elsewhere(current):
        session.reporter.warn(
            f"{current.endpoint.name} was served on {host_of(current)}: "
            f"should process {process.identity(current).pid} still run there, end it"
        )
    for target in current.targets:
        session.store.check(target.model.artifact)
    maker, id_ = current.maker, current.id
    if anew:
        maker, ours = _backend(session, current, "restart")
        if not ours:
            msg = f"{session.stack.endpoint} is to be served by {maker} now, no server of ours"
            raise UsageError(msg, hint="interlock deploy")
    if running:
        id_ = new_id("deployment")
    started = _start(session, maker, id_, current.endpoint, current.targets, "restart", killed)
    _end_others(session, started)
    return started


def verify_targets(session: Session, deployment: Deployment, *, what: str) -> None:
    """Ask the ledger for every release that a deployment is to serve.

    Raises:
        GateRefused: one of them may not be served there; see `verified_release`.
    """
    for target in deployment.targets:
        verified_release(session, target.release.id, deployment.endpoint, what=what)


def renew(session: Session, one: Deployment) -> None:
    """Record that who serves this next does so with the settings of now, if it is still named."""
    from interlock.plugins.load import load

    maker = one.maker
    if maker is None or maker.word not in session.stack.selected("deploy"):
        return
    # That plugin alone: a server needs the secrets of no other.
    funnel = load(session.stack, only=(maker.plugin,), learn=session.redact.add)
    now = next(iter(funnel.makers("serve_endpoint")), maker)
    if now != maker:
        _intend(session, now, one.id, one.endpoint, one.targets, "restart")


def adopt(session: Session, deployment: Deployment, address: str) -> None:
    """Record that this process serves a deployment now."""
    facts = Facts({**attrs.asdict(this_process()), "log": ""})
    record = attrs.evolve(deployment, address=address, facts=facts)
    _append(session, "deployment.applied", deployment.id, {"record": encode(record)})


def end_deployment(session: Session, deployment: Deployment, *, reason: str) -> None:
    """End an endpoint: its process, or what its plugin made elsewhere."""
    said = {"reason": reason}
    if process.is_ours(deployment):
        if killed := end_hanging(session, deployment):
            said["killed"] = killed
        process.stop(deployment)
    elif deployment.maker is not None and deployment.address:
        session.funnel.owner("remove_endpoint", deployment.maker, deployment=deployment)
    _append(session, "deployment.removed", deployment.id, said)


def _intend(
    session: Session,
    maker: Maker,
    deployment_id: str,
    endpoint: Endpoint,
    targets: tuple[Target, ...],
    reason: str,
    guard: Guard | None = None,
    killed: str = "",
) -> None:
    record = Deployment(id=deployment_id, endpoint=endpoint, targets=targets, maker=maker)
    payload = {
        "record": encode(record),
        "release": targets[0].release.id,
        "reason": reason,
        **({"killed": killed} if killed else {}),
    }
    _append(session, "deployment.intended", deployment_id, payload, guard)


def _retarget(
    session: Session,
    deployment: Deployment,
    targets: tuple[Target, ...],
    reason: str,
    guard: Guard | None,
) -> None:
    payload = {
        "targets": encode(targets),
        "release": targets[0].release.id,
        "reason": reason,
    }
    _append(session, "deployment.targets", deployment.id, payload, guard)


def _failed(session: Session, deployment_id: str, error: InterlockError) -> None:
    message = session.redact(str(error))
    _append(session, "deployment.failed", deployment_id, {"message": message})


def _append(
    session: Session,
    kind: str,
    subject: str,
    payload: Mapping[str, Any],
    guard: Guard | None = None,
) -> None:
    entry = Entry(kind, subject, dict(payload))
    session.ledger.append_all(session.project, [entry], guard=guard)
