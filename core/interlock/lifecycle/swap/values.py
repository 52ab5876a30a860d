"""A plan as a value: everything that a swap is to do, under one digest."""

from __future__ import annotations

import attrs

from interlock.codec import digest_of, encode
from interlock_hookspecs import Artifact, Maker, ModelVersion


@attrs.frozen(kw_only=True)
class AliasMove:
    """An alias that is to stand in the new registry where it stands in the old one.

    Attributes:
        alias: its name.
        version: the id of the version that it points at.
        model: that version's digest.
        expected: the number that it is on in the new registry now; None where it is not there.
    """

    alias: str
    version: str
    model: str
    expected: str | None


@attrs.frozen(kw_only=True)
class Endpoint:
    """A deployment of the old stack, and what becomes of it.

    Attributes:
        deployment: its id.
        name: of the endpoint.
        release: what it serves.
        maker: the plugin that made it, with its version.
        again: whether the new stack's plugin would have to make it again.
        text: what becomes of it, as a sentence.
    """

    deployment: str
    name: str
    release: str
    maker: str
    again: bool
    text: str


@attrs.frozen(kw_only=True)
class Cost:
    """What a swap takes.

    Attributes:
        versions: how many are registered.
        artifacts: how many are copied.
        bytes: of artifacts copied, and of models that the new registry keeps a copy of.
        requests: calls of the new registry's plugin, the last look at what it holds included.
    """

    versions: int
    artifacts: int
    bytes: int
    requests: int


@attrs.frozen(kw_only=True)
class Side:
    """One of the two stacks.

    Attributes:
        stack: its name.
        registry: the plugin that keeps its versions, with version and settings.
        artifacts: how its artifact store is named in words.
    """

    stack: str
    registry: Maker
    artifacts: str


@attrs.frozen(kw_only=True)
class Plan:
    """What a swap will do, from the world as it was when the plan was made.

    Attributes:
        project: whose records move, and the name that their versions are registered under.
        ledger: the id of the ledger that both stacks keep.
        source, target: from where to where.
        listing: the digest of what the old registry lists, aliases included.
        versions: what is to be registered, oldest first, as the old registry has it.
        held: the ids of the old registry's versions that the new one has already, by their id
            or, under an id of its own, by their digest.
        aliases: what is to be moved after that.
        artifacts: what is to be copied before.
        fetched: the ids of versions whose bytes only the old registry has.
        endpoints: what becomes of the deployments.
        losses: what would be lost; a plan with any is not applied.
        notes: what else will be different.
        cost: what it takes.
    """

    project: str
    ledger: str
    source: Side
    target: Side
    listing: str
    versions: tuple[ModelVersion, ...]
    held: tuple[str, ...]
    aliases: tuple[AliasMove, ...]
    artifacts: tuple[Artifact, ...]
    fetched: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]
    losses: tuple[str, ...]
    notes: tuple[str, ...]
    cost: Cost

    @property
    def digest(self) -> str:
        """Over all of it: the same world gives the same digest."""
        return digest_of(encode(self))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.versions or self.aliases or self.artifacts or self.fetched)
