"""The champion alias: it follows what is served, and notices when somebody else moved it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from interlock.errors import HookFailed, InterlockError
from interlock_hookspecs import Conflict, ModelVersion, Release

if TYPE_CHECKING:
    from interlock.session import Session

CHAMPION = "champion"


def move_champion(session: Session, release: Release) -> None:
    """Point the registry's champion alias at the version that a release is of.

    A stack without a registry has no alias to move.

    Raises:
        InterlockError: the alias stands on a version that neither the ledger nor this release
            knows: somebody moved it by hand, and the policy does not say ``report``.
    """
    funnel = session.funnel
    if not funnel.has("set_alias"):
        return
    name = session.project
    wanted: ModelVersion | None = funnel.one("get_version", name=name, ref=release.model)
    if wanted is None:
        msg = f"the registry has no version of {release.model}"
        raise InterlockError(msg, hint="interlock run registers it")
    found: ModelVersion | None = funnel.one("get_version", name=name, ref=f"@{CHAMPION}")
    recorded = last_moved(session)
    expected = found.number if found else None
    payload = {
        "name": name,
        "alias": CHAMPION,
        "version": wanted.id,
        "number": wanted.number,
        "model": release.model,
        "previous": expected,
        "registry": registry_of(session),
    }
    if found is None or found.model.digest != release.model:
        if found is not None and recorded is not None:
            _heed_foreign_move(session, found, recorded)
        session.ledger.append(
            session.project, "alias.intended", wanted.id, payload, run=release.run
        )
        try:
            funnel.one(
                "set_alias", name=name, alias=CHAMPION, expected=expected, number=wanted.number
            )
        except HookFailed as error:
            if not isinstance(error.__cause__, Conflict) or not _is_there(session, release):
                raise
            # Another controller of the same rollout was quicker, and records it.
            return
    elif recorded is not None and recorded["model"] == release.model:
        return
    session.ledger.append(session.project, "alias.moved", wanted.id, payload, run=release.run)


def _is_there(session: Session, release: Release) -> bool:
    found: ModelVersion | None = session.funnel.one(
        "get_version", name=session.project, ref=f"@{CHAMPION}"
    )
    return found is not None and found.model.digest == release.model


def foreign_move(session: Session) -> str:
    """What there is to say of a champion alias that somebody moved by hand; empty where nobody did.

    Whoever moves it in the registry wants another model served, and has asked no gate.

    Raises:
        HookFailed: the registry cannot be asked.
    """
    if not session.funnel.has("set_alias"):
        return ""
    recorded = last_moved(session)
    if recorded is None:
        return ""
    found: ModelVersion | None = session.funnel.one(
        "get_version", name=session.project, ref=f"@{CHAMPION}"
    )
    if found is None or not moved_by_hand(session, found, recorded):
        return ""
    return _told(session, found, recorded)


def registry_of(session: Session) -> str:
    """Which registry the alias is in: stacks that share a ledger may keep one each."""
    (maker,) = session.funnel.makers("set_alias")
    return f"{maker.plugin} {maker.settings}"


def last_moved(session: Session) -> Mapping[str, Any] | None:
    """Where we last put the alias in this stack's registry: model, number and sequence; or None.

    A swap puts it there as well. An event that names no registry is of any.
    """
    here, found = registry_of(session), None
    for kind in ("alias.moved", "alias.copied"):
        for event in session.ledger.reads.events(session.project, kind=kind, after=0, limit=None):
            said = event["payload"] or {}
            if said.get("alias") != CHAMPION or said.get("registry") not in (None, here):
                continue
            if found is None or event["sequence"] > found["sequence"]:
                found = {**said, "sequence": event["sequence"]}
    return found


def moved_by_hand(session: Session, found: ModelVersion, recorded: Mapping[str, Any]) -> bool:
    """Whether the alias stands neither where we recorded it nor where we meant to move it."""
    # A process killed after the registry moved it left the intention, and no record of the move;
    # others may have been killed since, before they moved it again.
    meant = session.ledger.reads.events(
        session.project, kind="alias.intended", after=recorded["sequence"], limit=None
    )
    ours = {recorded["model"], *((event["payload"] or {}).get("model") for event in meant)}
    return found.model.digest not in ours


def _heed_foreign_move(session: Session, found: ModelVersion, recorded: Mapping[str, Any]) -> None:
    """Refuse, or report, as the policy says of an alias that was moved by hand."""
    if not moved_by_hand(session, found, recorded):
        return
    msg = _told(session, found, recorded)
    if session.stack.policy.external_aliases == "report":
        session.reporter.warn(msg)
        return
    raise InterlockError(msg, hint="interlock models reconcile --mend, then deploy again")


def _told(session: Session, found: ModelVersion, recorded: Mapping[str, Any]) -> str:
    return (
        f"the alias {CHAMPION} of {session.project} was moved outside Interlock: the ledger has "
        f"version {recorded['number']}, the registry {found.number}"
    )
