"""Versions of a model, as a registry has them."""

from __future__ import annotations

from datetime import datetime

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.models import Model
from interlock_hookspecs.values import (
    Facts,
    all_of,
    as_facts,
    as_tuple,
    is_a,
    named,
    optional_utc,
    texts,
)


@attrs.frozen(kw_only=True)
class ModelVersion:
    """A registered model.

    Attributes:
        id: which registration; made by core before the registry was asked.
        name: the model's name in the registry.
        number: what the registry calls it. Never used twice for one name; changes on a swap.
        model: the file and its signature.
        aliases: the aliases that point at it, sorted. They move; they are part of no digest.
        at: when it was registered.
        facts: lineage as the registry keeps it: run, data digest, code digest.
        existing: whether registering found the digest already there and made nothing new.

    >>> from interlock_hookspecs import Artifact, Signature
    >>> model = Model(format="skops", signature=Signature(kind="binary", inputs=(), outputs=()),
    ...               artifact=Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops"))
    >>> ModelVersion(id="version-1", name="employment", number="1", model=model).aliases
    ()
    """

    id: str = attrs.field(validator=named)
    name: str = attrs.field(validator=named)
    number: str = attrs.field(validator=named)
    model: Model = attrs.field(validator=is_a(Model))
    aliases: tuple[str, ...] = attrs.field(default=(), converter=texts)
    at: datetime | None = attrs.field(default=None, converter=optional_utc)
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    existing: bool = attrs.field(default=False, validator=is_a(bool))
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))


@attrs.frozen(kw_only=True)
class VersionPage:
    """Some versions of a listing, newest first, and where the next page starts.

    Attributes:
        items: the versions.
        cursor: what to ask the next page with; None on the last one.

    >>> VersionPage().cursor is None
    True
    """

    items: tuple[ModelVersion, ...] = attrs.field(
        default=(), converter=as_tuple, validator=all_of(ModelVersion)
    )
    cursor: str | None = attrs.field(default=None, validator=is_a((str, type(None))))


@attrs.frozen(kw_only=True)
class Misfit:
    """Something of a version that a registry cannot hold as it is.

    Attributes:
        what: which part: ``name``, ``id``, ``alias challenger``, ``fact rows``, ``format skops``.
        reason: why not, in a few words.

    >>> Misfit(what="alias shadow-1", reason="an alias has letters only").what
    'alias shadow-1'
    """

    what: str = attrs.field(validator=named)
    reason: str = attrs.field(validator=named)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))
