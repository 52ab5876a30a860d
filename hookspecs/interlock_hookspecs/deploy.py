"""Deployment: an endpoint, the released versions behind it, and the servers that answer there.

Declarative: core decides about targets and weights; a plugin makes the endpoint serve exactly
these. A backend that is a server elsewhere implements ``apply_endpoint``; a server of our own
implements ``serve_endpoint``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import attrs

from interlock_hookspecs.artifacts import Maker
from interlock_hookspecs.govern import Release
from interlock_hookspecs.model import Model, Predictor
from interlock_hookspecs.rules import one, owner
from interlock_hookspecs.traffic import Traffic
from interlock_hookspecs.values import (
    Facts,
    all_of,
    as_facts,
    as_tuple,
    finite,
    is_a,
    named,
    texts,
    utc,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_hookspecs.artifacts import Workspace
    from interlock_hookspecs.monitor import Instant


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

    >>> EndpointStatus(live=False, ready=False, detail="connection refused").serving
    ()
    """

    live: bool = attrs.field(validator=is_a(bool))
    ready: bool = attrs.field(validator=is_a(bool))
    serving: tuple[str, ...] = attrs.field(default=(), converter=texts)
    detail: str = attrs.field(default="", validator=is_a(str))


@attrs.frozen(kw_only=True, eq=False)
class Capture:
    """The requests of one call and the answers to them.

    Attributes:
        request_id: the client's, or the server's own.
        at: when it was answered.
        release: the id of the release that answered.
        rows: n rows: the features as they were scored, and the id and time columns where the
            client sent them.
        predictions: n rows: the outputs and ``prediction``.
        mirror: whether the answer went nowhere.
    """

    request_id: str
    at: datetime = attrs.field(converter=utc)
    release: str
    rows: pa.Table
    predictions: pa.Table
    mirror: bool = False


@attrs.frozen(kw_only=True, eq=False)
class CaptureBatch:
    """Captures of requests that were scored together, in tables that they share.

    Attributes:
        request_ids: one for each request, in the order of their rows.
        counts: the rows of each; together n.
        at: when they were answered.
        release: the id of the release that answered.
        rows, predictions: n rows, as a `Capture` has them.
        mirror: whether the answers went nowhere.

    >>> import pyarrow as pa
    >>> from datetime import UTC, datetime
    >>> table = pa.table({"x": [1.0, 2.0, 3.0]})
    >>> batch = CaptureBatch(request_ids=("a", "b"), counts=(2, 1), at=datetime.now(UTC),
    ...                      release="release-1", rows=table, predictions=table)
    >>> [(each.request_id, each.rows["x"].to_pylist()) for each in batch.each()]
    [('a', [1.0, 2.0]), ('b', [3.0])]
    """

    request_ids: tuple[str, ...] = attrs.field(converter=as_tuple)
    counts: tuple[int, ...] = attrs.field(converter=as_tuple)
    at: datetime = attrs.field(converter=utc)
    release: str
    rows: pa.Table
    predictions: pa.Table
    mirror: bool = False

    def __attrs_post_init__(self) -> None:
        n = sum(self.counts)
        fits = self.rows.num_rows == n and self.predictions.num_rows == n
        if not fits or len(self.counts) != len(self.request_ids):
            raise ValueError("the counts of a batch of captures do not add up to its rows")

    def each(self) -> Iterator[Capture]:
        """The captures of the requests one by one."""
        start = 0
        for request_id, count in zip(self.request_ids, self.counts, strict=True):
            yield Capture(
                request_id=request_id,
                at=self.at,
                release=self.release,
                rows=self.rows.slice(start, count),
                predictions=self.predictions.slice(start, count),
                mirror=self.mirror,
            )
            start += count


@runtime_checkable
class CaptureSink(Protocol):
    """Where a server puts what it answered. Never blocks, never raises."""

    def put(self, capture: Capture) -> bool:
        """Queue a capture for writing; False where the queue is full and it was counted lost."""

    def put_batch(self, batch: CaptureBatch) -> bool:
        """Queue captures for writing, all of them or none; False where they were counted lost."""

    @property
    def lost(self) -> int:
        """How many captures were lost since the server started."""


@runtime_checkable
class TargetFeed(Protocol):
    """What an endpoint is to serve, now and from then on, verified and opened by core."""

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


@one("deploy")
def apply_endpoint(
    endpoint: Endpoint,
    id: str,  # noqa: A002  (the record's own word)
    targets: tuple[Target, ...],
    ws: Workspace,
) -> Deployment:
    """Make an endpoint of a server elsewhere serve exactly these targets.

    Asked: the only plugin of the stack that implements it.

    Asked again with the same targets it changes nothing. No request fails while it changes.

    Args:
        endpoint: which endpoint.
        id: which deployment this is.
        targets: releases with their weights; weights add up to 1 over those not mirrored.
        ws: locates the models' artifacts.

    Raises:
        Unavailable: the backend cannot be reached.
        Unsupported: the backend cannot serve this format, or split, or mirror.

    Example:
        >>> class Elsewhere:
        ...     @hookimpl
        ...     def apply_endpoint(self, endpoint, id, targets, ws):
        ...         address = f"http://models.example/{endpoint.name}"
        ...         return Deployment(id=id, endpoint=endpoint, targets=targets, address=address)
        >>> endpoint = Endpoint(name="e", project="p", stack="dev")
        >>> Elsewhere().apply_endpoint(endpoint, "deployment-1", (), None).address
        'http://models.example/e'
    """


@one("deploy", instead="apply_endpoint")
def serve_endpoint(
    endpoint: Endpoint, feed: TargetFeed, captures: CaptureSink, ws: Workspace
) -> None:
    """Serve an endpoint from this process until it is told to stop.

    Asked: the only plugin of the stack that implements it.

    Core starts the process, checks every release against the ledger, opens the models and hands
    over changes; the server knows its protocol and no ledger. The call returns after SIGTERM or
    SIGINT, when the requests in flight are answered. ``feed.started`` is called once it listens.

    Args:
        endpoint: which endpoint.
        feed: what to serve, now and from then on.
        captures: where answers are recorded.
        ws: logs.

    Raises:
        Unavailable: the address is taken.

    Example:
        >>> class Once:
        ...     @hookimpl
        ...     def serve_endpoint(self, endpoint, feed, captures, ws):
        ...         feed.started("http://127.0.0.1:8080")
        >>> Once().serve_endpoint.__name__
        'serve_endpoint'
    """


@owner("deploy")
def endpoint_status(deployment: Deployment) -> EndpointStatus:
    """Say how an endpoint is now, by asking it.

    Asked: the plugin that the first argument names.

    Answers within a few seconds and does not raise because the endpoint is gone: that is a
    status too.

    Args:
        deployment: what this plugin made.

    Example:
        >>> class Gone:
        ...     @hookimpl
        ...     def endpoint_status(self, deployment):
        ...         return EndpointStatus(live=False, ready=False, detail="gone")
        >>> Gone().endpoint_status(None).live
        False
    """


@owner("deploy", required=False)
def remove_endpoint(deployment: Deployment) -> None:
    """End what ``apply_endpoint`` made. Removing what is gone already is no error.

    Asked: the plugin that the first argument names.

    A server of our own needs none: core ends the process that it started.

    Args:
        deployment: what this plugin made.

    Raises:
        Unavailable: the backend cannot be reached.

    Example:
        >>> class Elsewhere:
        ...     @hookimpl
        ...     def remove_endpoint(self, deployment):
        ...         pass
        >>> Elsewhere().remove_endpoint(None)
    """


@owner("deploy", required=False)
def read_captures(deployment: Deployment, start: Instant, end: Instant) -> pa.Table:
    """Read back what an endpoint of a server elsewhere answered.

    Asked: the plugin that the first argument names.

    For a server of our own core reads what its own sink wrote.

    Args:
        deployment: what this plugin made.
        start, end: half-open, over the time of capture.

    Returns:
        One row a prediction: ``request_id``, ``row``, ``at``, ``release``, ``mirror``, the
        features, and the predictions.

    Example:
        >>> class Nothing:
        ...     @hookimpl
        ...     def read_captures(self, deployment, start, end):
        ...         import pyarrow as pa
        ...         return pa.table({"request_id": []})
        >>> Nothing().read_captures(None, None, None).num_rows
        0
    """


@owner("deploy", required=False)
def read_traffic(deployment: Deployment) -> tuple[Traffic, ...]:
    """Say what each release behind an endpoint was asked until now, and how that went.

    Asked: the plugin that the first argument names.

    A plugin that implements it can be rolled out through: it splits requests by weight, keeps
    those of one sticky key with one release while weights stay, gives mirrors copies, and counts
    each release for itself. Answers within a few seconds.

    Args:
        deployment: what this plugin made.

    Returns:
        One count a release and mirror that the endpoint has now, in the endpoint's order.

    Raises:
        Unavailable: the endpoint does not answer.

    Example:
        >>> class Idle:
        ...     @hookimpl
        ...     def read_traffic(self, deployment):
        ...         return []
        >>> Idle().read_traffic(None)
        []
    """
