"""Where the registry and the ledger disagree, and how the registry is mended.

The ledger is right: it has what was decided, and by whom. What people did in the registry by hand
is told, and undone only when that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from interlock.codec import decode, encode
from interlock.errors import InterlockError
from interlock.ids import new_id
from interlock.ledger import Entry
from interlock.lifecycle.aliases import CHAMPION, last_moved, moved_by_hand, registry_of
from interlock_hookspecs import ModelVersion

if TYPE_CHECKING:
    from interlock.session import Session

_PAGE = 1000

ALIAS, DELETED, ADDED = "alias", "deleted", "added"


@attrs.frozen(kw_only=True)
class Difference:
    """One thing that the registry has otherwise than the ledger.

    Attributes:
        what: ``alias``: it points elsewhere; ``deleted``: a version is gone from the registry;
            ``added``: a version is there that the ledger knows nothing of.
        subject: the alias, or the version's id.
        ledger: what the ledger has: a number, or empty.
        registry: what the registry has: a number, or empty.
        model: the digest that the ledger has, or of a version that was added, the registry.
    """

    what: str
    subject: str
    ledger: str
    registry: str
    model: str

    @property
    def mendable(self) -> bool:
        """Whether `mend` undoes it. What somebody added is theirs, and is left alone."""
        return self.what != ADDED


def find_differences(session: Session) -> tuple[Difference, ...]:
    """Compare every version and the champion alias of the project's model.

    Raises:
        HookFailed: the registry cannot be asked.
    """
    held = tuple(_held(session))
    return (*_alias(session), *_deleted(session, held), *_added(session, held))


def mend(session: Session, difference: Difference) -> None:
    """Make the registry say what the ledger says, and write down that it was made to.

    Raises:
        HookFailed: the registry refuses, or somebody moved the alias again meanwhile.
        InterlockError: the alias has nothing to go back to.
    """
    if difference.what == ALIAS:
        _move_back(session, difference)
    elif difference.what == DELETED:
        _register_again(session, difference)


def _held(session: Session) -> Iterator[ModelVersion]:
    cursor = None
    while True:
        page = session.funnel.one("list_versions", name=session.project, cursor=cursor, limit=_PAGE)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _recorded(session: Session) -> list[Any]:
    """The versions that runs of this stack registered: another stack may have its own registry."""
    reads = session.ledger.reads
    runs = {row["id"] for row in reads.runs(session.project, stack=session.stack.name, limit=None)}
    rows = reads.versions(session.project, limit=None)
    return [row for row in rows if row["body"] and row["run"] in runs]


def _alias(session: Session) -> Iterator[Difference]:
    recorded = last_moved(session)
    if recorded is None:
        return
    found = session.funnel.one("get_version", name=session.project, ref=f"@{CHAMPION}")
    if found is not None and not moved_by_hand(session, found, recorded):
        return
    yield Difference(
        what=ALIAS,
        subject=CHAMPION,
        ledger=recorded["number"],
        registry=found.number if found else "",
        model=recorded["model"],
    )


def _deleted(session: Session, held: tuple[ModelVersion, ...]) -> Iterator[Difference]:
    models = {version.model.digest for version in held}
    for row in _recorded(session):
        if row["model"] not in models:
            models.add(row["model"])
            yield Difference(
                what=DELETED,
                subject=row["id"],
                ledger=row["number"],
                registry="",
                model=row["model"],
            )


def _added(session: Session, held: tuple[ModelVersion, ...]) -> Iterator[Difference]:
    known = session.ledger.reads.versions(session.project, status=None, limit=None)
    ids, models = {row["id"] for row in known}, {row["model"] for row in known}
    for version in held:
        if version.id not in ids and version.model.digest not in models:
            yield Difference(
                what=ADDED,
                subject=version.id,
                ledger="",
                registry=version.number,
                model=version.model.digest,
            )


def _move_back(session: Session, difference: Difference) -> None:
    wanted = session.funnel.one("get_version", name=session.project, ref=difference.model)
    if wanted is None:
        msg = f"the registry has no version of {difference.model} that @{CHAMPION} could go back to"
        raise InterlockError(msg, hint="interlock run registers it")
    payload = {
        "name": session.project,
        "alias": difference.subject,
        "version": wanted.id,
        "number": wanted.number,
        "model": difference.model,
        "previous": difference.registry or None,
        "registry": registry_of(session),
    }
    session.ledger.append(session.project, "alias.intended", wanted.id, payload)
    session.funnel.one(
        "set_alias",
        name=session.project,
        alias=difference.subject,
        expected=difference.registry or None,
        number=wanted.number,
    )
    session.ledger.append(session.project, "alias.moved", wanted.id, payload)


def _register_again(session: Session, difference: Difference) -> None:
    """Bring a version back, under a new id and the registry's next number."""
    row = session.ledger.reads.version(difference.subject)
    earlier = decode(ModelVersion, row["body"]) if row else None
    if row is None or earlier is None:
        return
    version_id = new_id("version")
    intended = {"run": row["run"], "name": earlier.name, "model": difference.model}
    session.ledger.append(session.project, "version.intended", version_id, intended, run=row["run"])
    with session.workspace(version_id) as ws:
        version = session.funnel.one(
            "register_version",
            name=earlier.name,
            id=version_id,
            model=earlier.model,
            facts=earlier.facts,
            ws=ws,
        )
    registered = {**intended, "number": version.number, "existing": version.existing}
    entry = Entry(
        "version.registered", version_id, {**registered, "record": encode(version)}, row["run"]
    )
    session.ledger.append_all(session.project, [entry])
