"""Prometheus metrics at ``/metrics``, from counts that are kept anyway.

Of models they are named as MLServer and KServe name theirs; of HTTP and gRPC as the usual client
libraries do. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import LATENCY_EDGES, Unavailable
from interlock_serving.http.asgi import ASGI, Receive, Scope, Send
from interlock_serving.http.exchange import Exchange
from interlock_serving.layers.pages import ALLOW_GET
from interlock_serving.v2.protocol import SERVICE

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from interlock_serving.app import App
    from interlock_serving.layers.observe import Observation

PATH = "/metrics"
_LABELS = ("model_name", "model_version")


class RouteCounts:
    """What came of the requests of one kind. Touched on the event loop's thread only.

    Attributes:
        requests: how many, by labels that say what came of them.
        seconds, cells: how long they took, by route.
    """

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cells: defaultdict[str, list[int]] = defaultdict(
            lambda: [0] * (len(LATENCY_EDGES) + 1)
        )

    def add(self, route: str, labels: tuple[str, ...], seconds: float) -> None:
        """Count a request."""
        self.requests[labels] += 1
        self.seconds[route] += seconds
        self.cells[route][bisect.bisect_left(LATENCY_EDGES, seconds)] += 1


class Counts:
    """What came of all requests.

    Attributes:
        http: by method, route and status.
        rpc: gRPC's, by method and code.
    """

    def __init__(self) -> None:
        self.http = RouteCounts()
        self.rpc = RouteCounts()

    def add(self, seen: Observation) -> None:
        """Count a request."""
        if seen.code:
            method = seen.route.rpartition("/")[2]
            self.rpc.add(method, (method, seen.code), seen.seconds)
        else:
            labels = (seen.scope["method"], seen.route, str(seen.status))
            self.http.add(seen.route, labels, seen.seconds)


class Collector:
    """The metrics of an endpoint, made when they are asked for.

    Args:
        name: the endpoint's.
        counted: gives the counts of the whole endpoint, as `snapshot` has them.
    """

    def __init__(self, name: str, counted: Callable[[], dict[str, Any]]) -> None:
        self._name = name
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Each metric with its samples."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        counted = self._counted()
        yield from self._models(counted)
        requests = CounterMetricFamily(
            "http_requests", "Requests by what came of them", labels=("method", "route", "status")
        )
        for labels, count in counted["requests"].items():
            requests.add_metric(labels.split(" "), count)
        durations = HistogramMetricFamily(
            "http_request_duration_seconds", "From header to answer", labels=("route",)
        )
        for route, cells in counted["request_cells"].items():
            durations.add_metric((route,), _buckets(cells), counted["request_seconds"][route])
        yield from (requests, durations)
        if counted["calls"]:
            yield from _calls(counted)
        yield CounterMetricFamily(
            "captures_lost", "Answers that were not recorded", value=counted["lost"]
        )
        yield CounterMetricFamily(
            "mirrors_skipped", "Copies of requests that no mirror took", value=counted["skipped"]
        )

    def _models(self, counted: dict[str, Any]) -> Iterator[Metric]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        success = CounterMetricFamily(
            "model_infer_request_success", "Requests that a model answered", labels=_LABELS
        )
        failure = CounterMetricFamily(
            "model_infer_request_failure",
            "Requests that a model did not answer: refused do not fit it, failed do",
            labels=(*_LABELS, "reason"),
        )
        expired = CounterMetricFamily(
            "model_infer_request_expired",
            "The failed whose client waited no longer",
            labels=_LABELS,
        )
        durations = HistogramMetricFamily(
            "model_infer_request_duration_seconds", "From queue to answer", labels=_LABELS
        )
        ready = GaugeMetricFamily("model_ready", "Whether a model answers in time", labels=_LABELS)
        for release, cells in counted["cells"].items():
            labels = (self._name, release)
            success.add_metric(labels, sum(cells))
            for reason in ("refused", "failed"):
                failure.add_metric((*labels, reason), counted[reason][release])
            expired.add_metric(labels, counted["expired"][release])
            durations.add_metric(labels, _buckets(cells), counted["seconds"][release])
            if release in counted["late"]:
                ready.add_metric(labels, not counted["late"][release])
        yield from (success, failure, expired, durations, ready)


def snapshot(app: App, counts: Counts) -> dict[str, Any]:
    """The counts of this process, so that those of several can be added up."""
    models = {model.release.id: model for model in (*app.router.models, *app.router.mirrors)}
    return {
        "cells": {release: model.tally.cells for release, model in models.items()},
        "seconds": {release: model.tally.seconds for release, model in models.items()},
        "refused": {release: model.tally.refused for release, model in models.items()},
        "failed": {release: model.tally.failed for release, model in models.items()},
        "expired": {release: model.tally.expired for release, model in models.items()},
        "late": {release: int(model.late) for release, model in models.items()},
        **_plain(counts.http, "requests", "request"),
        **_plain(counts.rpc, "calls", "call"),
        "lost": app.lost(),
        "skipped": app.mirrors_skipped,
    }


def metrics(name: str, counted: Callable[[], dict[str, Any]], behind: ASGI, *, alone: bool) -> ASGI:
    """What is behind, with ``/metrics`` before it.

    Args:
        name: the endpoint's.
        counted: gives the counts of the whole endpoint, as `snapshot` has them.
        behind: what answers the other paths.
        alone: whether this process is the endpoint, so that its memory and time are too.

    Raises:
        Unavailable: the library is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    except ImportError as error:
        raise Unavailable(
            "metrics needs a library: pip install 'interlock-serving[metrics]'"
        ) from error
    registry = CollectorRegistry()
    registry.register(Collector(name, counted))
    if alone:
        ProcessCollector(registry=registry)
    kind = (b"content-type", CONTENT_TYPE_LATEST.encode("ascii"))

    def layer(scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        if scope["path"] != PATH:
            return behind(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            refusal = Exchange(scope, receive, send)
            return refusal.refuse(405, "this path takes GET, HEAD", ALLOW_GET)
        return told(send)

    async def told(send: Send) -> None:
        await send(200, (kind,), generate_latest(registry))

    return layer


def _calls(counted: dict[str, Any]) -> Iterator[Metric]:
    """What came of gRPC calls."""
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    always = ("unary", SERVICE)
    labels = ("grpc_type", "grpc_service", "grpc_method")
    handled = CounterMetricFamily(
        "grpc_server_handled", "gRPC calls by what came of them", labels=(*labels, "grpc_code")
    )
    for call, count in counted["calls"].items():
        handled.add_metric((*always, *call.split(" ")), count)
    durations = HistogramMetricFamily(
        "grpc_server_handling_seconds", "From call to answer", labels=labels
    )
    for method, cells in counted["call_cells"].items():
        durations.add_metric((*always, method), _buckets(cells), counted["call_seconds"][method])
    yield from (handled, durations)


def _plain(counts: RouteCounts, requests: str, request: str) -> dict[str, Any]:
    return {
        requests: {" ".join(labels): count for labels, count in counts.requests.items()},
        f"{request}_cells": dict(counts.cells),
        f"{request}_seconds": dict(counts.seconds),
    }


def _buckets(cells: list[int]) -> list[tuple[str, float]]:
    """Cells as Prometheus wants them: each bucket counts all up to its edge."""
    edges: list[Any] = [str(edge) for edge in LATENCY_EDGES] + ["+Inf"]
    return list(zip(edges, map(float, accumulate(cells)), strict=True))
