"""Endpoints, the released versions behind them, and what a server of our own is told to serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.models import Model, Predictor
from interlock_hookspecs.releases import Release
from interlock_hookspecs.values import (
    Facts,
    all_of,
    as_facts,
    as_tuple,
    finite,
    is_a,
    named,
    texts,
)


@attrs.frozen(kw_only=True)
class Endpoint:
    """A name that clients call, within a project and a stack.

    Attributes:
        name: the endpoint's name, in its URL.
        project, stack: whose it is.

    >>> Endpoint(name="employment", project="employment", stack="dev").stack
    'dev'
    """

    name: str = attrs.field(validator=named)
    project: str = attrs.field(validator=named)
    stack: str = attrs.field(validator=named)


@attrs.frozen(kw_only=True)
class Target:
    """A released model behind an endpoint.

    Attributes:
        release: as the ledger has it.
        model: the file to serve: the one that the release is of, or that as it was packaged.
        weight: its share of the requests, 0 to 1; the weights of an endpoint add up to 1.
        mirror: whether it gets a copy of requests and its answers go nowhere.
    """

    release: Release = attrs.field(validator=is_a(Release))
    model: Model = attrs.field(validator=is_a(Model))
    weight: float = attrs.field(default=1.0, validator=finite)
    mirror: bool = attrs.field(default=False, validator=is_a(bool))


@attrs.frozen(kw_only=True, eq=False)
class OpenTarget:
    """A target whose model core has verified against the ledger and opened.

    Attributes:
        target: which release, with which weight.
        predictor: the opened model; safe to call from several threads.
    """

    target: Target
    predictor: Predictor


@attrs.frozen(kw_only=True)
class Deployment:
    """An endpoint as it was made by a plugin.

    Attributes:
        id: which deployment; made by core before the plugin was asked.
        endpoint: the name that clients call.
        targets: what it serves.
        address: where clients call it, for example ``http://127.0.0.1:8080``.
        facts: what the plugin needs to find it again: a process id, a namespace, a log.

    >>> endpoint = Endpoint(name="employment", project="employment", stack="dev")
    >>> Deployment(id="deployment-1", endpoint=endpoint, address="http://127.0.0.1:8080").targets
    ()
    """

    id: str = attrs.field(validator=named)
    endpoint: Endpoint = attrs.field(validator=is_a(Endpoint))
    targets: tuple[Target, ...] = attrs.field(
        default=(), converter=as_tuple, validator=all_of(Target)
    )
    address: str = attrs.field(default="", validator=is_a(str))
    facts: Facts = attrs.field(factory=Facts, converter=as_facts)
    maker: Maker | None = attrs.field(default=None, validator=is_a((Maker, type(None))))


@attrs.frozen(kw_only=True)
class EndpointStatus:
    """How an endpoint is now.

    Attributes:
        live: whether anything answers.
        ready: whether it answers requests for predictions.
        serving: the ids of the releases it serves.
        detail: one sentence for a person.
        silent: whether it takes connections and answers none: a server that hangs.
        grpc: where it answers gRPC, as a client of gRPC wants it; empty where it does not.

    >>> EndpointStatus(live=False, ready=False, detail="connection refused").serving
    ()
    """

    live: bool = attrs.field(validator=is_a(bool))
    ready: bool = attrs.field(validator=is_a(bool))
    serving: tuple[str, ...] = attrs.field(default=(), converter=texts)
    detail: str = attrs.field(default="", validator=is_a(str))
    silent: bool = attrs.field(default=False, validator=is_a(bool))
    grpc: str = attrs.field(default="", validator=is_a(str))


@runtime_checkable
class TargetFeed(Protocol):
    """What an endpoint is to serve, now and from then on, verified and opened by core.

    A feed may have one more attribute, ``replaces``: the address of a server that serves this
    endpoint still, and is ended once this one has started. It may hold the port that this one is
    to have.
    """

    @property
    def current(self) -> tuple[OpenTarget, ...]:
        """The targets to serve now; possibly none. Safe to read from any thread."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call back, from a thread of core's, each time that `current` became another tuple."""

    def started(self, address: str) -> None:
        """Tell core that the server listens, and at which address."""

    @property
    def problem(self) -> str:
        """Why the targets may be out of date, for readiness; empty where they are not."""


@runtime_checkable
class RepeatableFeed(TargetFeed, Protocol):
    """A feed in a process that can be started again, so that several serve one endpoint."""

    @property
    def command(self) -> tuple[str, ...]:
        """What starts another process like this one, with a feed and captures of its own.

        Only the first one calls ``started``; what it listens on it hands over itself.
        """
