"""The world that a swap is planned in: what each registry holds, and what the ledger says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from interlock.codec import digest_of
from interlock.errors import InterlockError, UsageError
from interlock.lifecycle.audit import recorded_artifacts
from interlock_hookspecs import Artifact, ModelVersion

if TYPE_CHECKING:
    from interlock.session import Session

PAGE = 100
"""Versions that are asked of a registry at once."""


def held_versions(session: Session) -> tuple[ModelVersion, ...]:
    """Every version that a stack's registry has of the project, oldest first.

    Raises:
        UsageError: the stack has no registry.
        InterlockError: the registry gives one twice, or an endless listing.
    """
    if not session.funnel.has("list_versions"):
        msg = f"the stack {session.stack.name!r} has no registry: nothing to move from or to"
        raise UsageError(msg, hint="name one in the stack file: registry = ...")
    found: dict[str, ModelVersion] = {}
    cursor = None
    while True:
        page = session.funnel.one("list_versions", name=session.project, cursor=cursor, limit=PAGE)
        for version in page.items:
            if version.id in found:
                msg = f"the registry of {session.stack.name} lists {version.id} twice"
                raise InterlockError(msg, hint="interlock plugins check names the broken promise")
            found[version.id] = version
        cursor = page.cursor
        if cursor is None:
            return tuple(reversed(found.values()))


def listing_digest(versions: tuple[ModelVersion, ...]) -> str:
    """What a registry lists, as a digest: ids, models and aliases, in order."""
    lines = [[one.id, one.model.digest, list(one.aliases), dict(one.facts)] for one in versions]
    return digest_of(lines)


def pages(count: int) -> int:
    """How many requests a listing of that many versions takes."""
    return max(1, -(-count // PAGE))


def same_store(source: Session, target: Session) -> bool:
    """Whether two stacks keep their artifacts in one place."""
    return source.stack.address("artifacts") == target.stack.address("artifacts")


def artifacts_of(session: Session, versions: tuple[ModelVersion, ...]) -> Iterator[Artifact]:
    """Every artifact that the ledger names, and the models of versions, each digest once."""
    seen: set[str] = set()
    for artifact in (
        *recorded_artifacts(session),
        *(version.model.artifact for version in versions),
    ):
        if artifact.digest not in seen:
            seen.add(artifact.digest)
            yield artifact


def last_stood(session: Session, alias: str, model: str) -> int:
    """The sequence of the latest event that puts an alias on a model; 0 where none does."""
    found = [
        event["sequence"]
        for kind in ("alias.moved", "alias.copied")
        for event in session.ledger.reads.events(session.project, kind=kind, after=0, limit=None)
        if event["payload"]
        and (event["payload"]["alias"], event["payload"]["model"]) == (alias, model)
    ]
    return max(found, default=0)
