"""Making a plan: both sides are looked at, nothing is changed."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from interlock.codec import decode
from interlock.errors import UsageError
from interlock.ids import short
from interlock.lifecycle.swap.values import AliasMove, Cost, Endpoint, Plan, Side
from interlock.lifecycle.swap.world import (
    artifacts_of,
    held_versions,
    last_stood,
    listing_digest,
    pages,
    same_store,
)
from interlock_hookspecs import Artifact, Deployment, ModelVersion
from interlock_hookspecs.form import contract

if TYPE_CHECKING:
    from interlock.session import Session


@attrs.frozen(kw_only=True)
class _Holdings:
    """What both registries hold: the old one's by order, the new one's by id and by digest."""

    old: tuple[ModelVersion, ...]
    new: tuple[ModelVersion, ...]

    @functools.cached_property
    def _by_id(self) -> dict[str, ModelVersion]:
        return {found.id: found for found in self.new}

    @functools.cached_property
    def _by_digest(self) -> dict[str, ModelVersion]:
        return {found.model.digest: found for found in self.new}

    def there(self, version: ModelVersion) -> ModelVersion | None:
        """The version of the new registry that is this one: the same id, else the same bytes."""
        return self._by_id.get(version.id) or self._by_digest.get(version.model.digest)


def make_plan(source: Session, target: Session) -> Plan:
    """What it takes that one stack's registry holds what another's does.

    Args:
        source: the stack whose records move.
        target: the stack that takes over.

    Raises:
        UsageError: they are one stack, keep different ledgers, or one has no registry.
        HookFailed: a registry cannot be reached.
    """
    _refuse_strangers(source, target)
    holdings = _Holdings(old=held_versions(source), new=held_versions(target))
    moving = tuple(version for version in holdings.old if holdings.there(version) is None)
    artifacts, gone, fetched = _artifacts(source, target, holdings.old, moving)
    aliases, alias_losses = _aliases(source, holdings)
    losses = (
        *_misfits(target, moving),
        *_reordered(holdings, moving),
        *_other_models(holdings),
        *alias_losses,
        *_bytes_needed(target, moving, gone, fetched),
    )
    return Plan(
        project=source.project,
        ledger=source.ledger.id,
        source=_side(source),
        target=_side(target),
        listing=listing_digest(holdings.old),
        versions=moving,
        held=tuple(version.id for version in holdings.old if holdings.there(version) is not None),
        aliases=aliases,
        artifacts=artifacts,
        fetched=fetched,
        endpoints=tuple(_endpoints(source, target)),
        losses=losses,
        notes=tuple(_notes(source, target, holdings, moving, gone)),
        cost=_cost(target, holdings, moving, aliases, artifacts),
    )


def _refuse_strangers(source: Session, target: Session) -> None:
    here, there = source.stack.name, target.stack.name
    if here == there:
        msg = f"a swap is from one stack to another, and {here!r} is both"
        raise UsageError(msg, hint="name the stack that takes over: --to NAME")
    if source.ledger.id != target.ledger.id:
        msg = f"{here} and {there} keep different ledgers: their history would not come along"
        hint = f"interlock promote VERSION --to {there} takes a version there with its dossier"
        raise UsageError(msg, hint=hint)


def _side(session: Session) -> Side:
    (registry,) = session.funnel.makers("register_version")
    # An address from the environment is a Secret, which prints as stars.
    return Side(stack=session.stack.name, registry=registry, artifacts=str(session.stack.artifacts))


def _aliases(source: Session, holdings: _Holdings) -> tuple[tuple[AliasMove, ...], tuple[str, ...]]:
    """The aliases that are to move, and what would be lost by moving one."""
    standing = {alias: version for version in holdings.new for alias in version.aliases}
    moves, losses = [], []
    for version in holdings.old:
        for alias in version.aliases:
            found = standing.get(alias)
            if found is not None and found.model.digest == version.model.digest:
                continue
            if found is not None:
                loss = _alias_loss(source, alias, version, found)
                losses += [loss] if loss else []
            moves.append(
                AliasMove(
                    alias=alias,
                    version=version.id,
                    model=version.model.digest,
                    expected=found.number if found else None,
                )
            )
    return tuple(moves), tuple(losses)


def _alias_loss(source: Session, alias: str, wanted: ModelVersion, found: ModelVersion) -> str:
    """Why an alias of the new registry may not be moved; empty where its place is history.

    The ledger has each place that an alias was moved to by us, and by an earlier swap. A place
    that it does not have was chosen by hand; one that is later than the old registry's is ahead.
    """
    there = last_stood(source, alias, found.model.digest)
    what = f"the alias {alias!r} stands on version {found.number} ({short(found.id)}) there"
    if not there:
        return f"{what}, set by somebody past Interlock: that would be overwritten"
    if there > last_stood(source, alias, wanted.model.digest):
        return f"{what}, and has moved on since it stood on {short(wanted.id)}: it would go back"
    return ""


def _misfits(target: Session, moving: tuple[ModelVersion, ...]) -> Iterator[str]:
    """What the new registry says that it cannot hold."""
    for version in moving:
        for found in target.funnel.every("find_misfits", version=version):
            yield f"{short(version.id)}: {found.maker} cannot hold its {found.what}: {found.reason}"


def _reordered(holdings: _Holdings, moving: tuple[ModelVersion, ...]) -> Iterator[str]:
    """Versions that would be listed in another order than in the old registry.

    A registry lists by when it was told: what is missing there comes after all that it has.
    """
    if not moving:
        return
    first = holdings.old.index(moving[0])
    for version in holdings.old[first + 1 :]:
        found = holdings.there(version)
        if found is not None:
            yield (
                f"the order: {short(moving[0].id)} is older than {short(version.id)}, which is "
                f"there already as version {found.number}, and would come to be listed as newer"
            )
            return


def _other_models(holdings: _Holdings) -> Iterator[str]:
    """Ids that stand for another model in the new registry."""
    for version in holdings.old:
        found = holdings.there(version)
        if found is not None and found.model.digest != version.model.digest:
            yield f"{short(version.id)} stands for another model there: {found.model.digest[:19]}"


def _artifacts(
    source: Session,
    target: Session,
    versions: tuple[ModelVersion, ...],
    moving: tuple[ModelVersion, ...],
) -> tuple[tuple[Artifact, ...], frozenset[str], tuple[str, ...]]:
    """What is to be copied, the digests that neither store has, and what a registry must give."""
    copied, gone = [], set()
    same = same_store(source, target)
    for artifact in artifacts_of(source, versions):
        if target.store.has(artifact):
            continue
        if not same and source.store.has(artifact):
            copied.append(artifact)
        else:
            gone.add(artifact.digest)
    fetches = source.funnel.has("fetch_version")
    fetched = tuple(
        version.id for version in moving if fetches and version.model.artifact.digest in gone
    )
    return tuple(copied), frozenset(gone), fetched


def _bytes_needed(
    target: Session,
    moving: tuple[ModelVersion, ...],
    gone: frozenset[str],
    fetched: tuple[str, ...],
) -> Iterator[str]:
    """Versions that a registry which keeps the bytes could not be given."""
    if target.funnel.has("fetch_version"):
        for version in moving:
            if version.model.artifact.digest in gone and version.id not in fetched:
                yield f"{short(version.id)}: the bytes of its model are nowhere to be had"


def _endpoints(source: Session, target: Session) -> Iterator[Endpoint]:
    """What becomes of the deployments of the old stack."""
    hooks = ("apply_endpoint", "serve_endpoint")
    makers = [maker for hook in hooks for maker in target.funnel.makers(hook)]
    rows = source.ledger.reads.deployments(
        source.project, stack=source.stack.name, status="applied", limit=None
    )
    for row in rows:
        deployment = decode(Deployment, row["body"])
        made = deployment.maker
        kept = made is not None and any(
            (made.plugin, made.settings) == (maker.plugin, maker.settings) for maker in makers
        )
        there = makers[0].plugin if makers else "nobody"
        yield Endpoint(
            deployment=deployment.id,
            name=deployment.endpoint.name,
            release=str(row["live"]),
            maker=str(made),
            again=not kept,
            text=f"{deployment.endpoint.name} ({short(deployment.id)}) goes on serving "
            f"{short(str(row['live']))} through {made}; "
            + (
                "nothing is made again"
                if kept
                else f"for {target.stack.name}, {there} must make it again"
            ),
        )


def _notes(
    source: Session,
    target: Session,
    holdings: _Holdings,
    moving: tuple[ModelVersion, ...],
    gone: frozenset[str],
) -> Iterator[str]:
    """What will be otherwise, and is no loss."""
    here, there = source.stack.name, target.stack.name
    if moving:
        yield "numbers are given anew, and the time of registration is the copy's"
    for version in holdings.old:
        found = holdings.there(version)
        if found is not None and found.id != version.id:
            yield (
                f"{short(version.id)} is there already under another id, {short(found.id)}: "
                "it stays under that one"
            )
    ours = {version.model.digest for version in holdings.old}
    own = [version for version in holdings.new if version.model.digest not in ours]
    if own:
        yield f"{there} has {len(own)} versions that {here} has not: they stay"
    for name, spec in contract().items():
        optional = "registry" in spec.roles and not spec.required
        if optional and source.funnel.has(name) and not target.funnel.has(name):
            (made,) = target.funnel.makers("register_version")
            yield f"{made} has no {name}"
    if gone:
        yield f"{len(gone)} recorded artifacts were gone from {here} before, and stay so"


def _cost(
    target: Session,
    holdings: _Holdings,
    moving: tuple[ModelVersion, ...],
    aliases: tuple[AliasMove, ...],
    artifacts: tuple[Artifact, ...],
) -> Cost:
    keeps_bytes = target.funnel.has("fetch_version")
    size = sum(artifact.size for artifact in artifacts)
    if keeps_bytes:
        size += sum(version.model.artifact.size for version in moving)
    # Each version is registered, and its bytes read again where the registry keeps them; each
    # alias is looked at and moved; in the end everything is listed.
    requests = len(moving) * (2 if keeps_bytes else 1) + 2 * len(aliases)
    return Cost(
        versions=len(moving),
        artifacts=len(artifacts),
        bytes=size,
        requests=requests + pages(len(holdings.new) + len(moving)),
    )
