"""The champion alias: it follows what is served, and notices when somebody else moved it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.errors import InterlockError
from interlock_hookspecs import ModelVersion, Release

if TYPE_CHECKING:
    from interlock.session import Session

CHAMPION = "champion"


def move_champion(session: Session, release: Release) -> None:
    """Point the registry's champion alias at the version that a release is of.

    A stack without a registry has no alias to move.

    Raises:
        InterlockError: the alias stands on a version that neither the ledger nor this release
            knows: somebody moved it by hand.
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
    if found is not None and found.model.digest == release.model:
        return
    recorded = session.ledger.reads.alias(session.project, name, CHAMPION)
    if found is not None and recorded is not None and found.model.digest != recorded["model"]:
        msg = (
            f"the alias {CHAMPION} of {name} was moved outside Interlock: the ledger has version "
            f"{recorded['number']}, the registry {found.number}"
        )
        raise InterlockError(msg, hint=f"move it back to {recorded['number']}, then deploy again")
    expected = found.number if found else None
    funnel.one("set_alias", name=name, alias=CHAMPION, expected=expected, number=wanted.number)
    payload = {
        "name": name,
        "alias": CHAMPION,
        "version": wanted.id,
        "number": wanted.number,
        "model": release.model,
        "previous": expected,
    }
    session.ledger.append(session.project, "alias.moved", wanted.id, payload, run=release.run)
