"""Prometheus metrics at ``/metrics``, from counts that are kept anyway.

Of models they are named as MLServer and KServe name theirs; of HTTP as the usual client
libraries do. https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Awaitable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from interlock_deploy_local.asgi import ASGI, Scope, reply
from interlock_deploy_local.exchange import Exchange, Receive, Send
from interlock_deploy_local.pages import ALLOW_GET
from interlock_hookspecs import LATENCY_EDGES, Unavailable

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from interlock_deploy_local.app import App
    from interlock_deploy_local.observe import Observation

PATH = "/metrics"
_LABELS = ("model_name", "model_version")


class HTTPCounts:
    """What came of the requests, by route. Touched on the event loop's thread only."""

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cells: defaultdict[str, list[int]] = defaultdict(
            lambda: [0] * (len(LATENCY_EDGES) + 1)
        )

    def add(self, seen: Observation) -> None:
        """Count a request."""
        self.requests[seen.scope["method"], seen.route, str(seen.status)] += 1
        self.seconds[seen.route] += seen.seconds
        self.cells[seen.route][bisect.bisect_left(LATENCY_EDGES, seen.seconds)] += 1


class Collector:
    """The metrics of an endpoint, made when they are asked for."""

    def __init__(self, app: App, counts: HTTPCounts) -> None:
        self._app = app
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Each metric with its samples."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        yield from self._models()
        requests = CounterMetricFamily(
            "http_requests", "Requests by what came of them", labels=("method", "route", "status")
        )
        for labels, count in self._counts.requests.items():
            requests.add_metric(labels, count)
        durations = HistogramMetricFamily(
            "http_request_duration_seconds", "From header to answer", labels=("route",)
        )
        for route, cells in self._counts.cells.items():
            durations.add_metric((route,), _buckets(cells), self._counts.seconds[route])
        yield from (requests, durations)

    def _models(self) -> Iterator[Metric]:
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
        durations = HistogramMetricFamily(
            "model_infer_request_duration_seconds", "From queue to answer", labels=_LABELS
        )
        ready = GaugeMetricFamily("model_ready", "Whether a model answers in time", labels=_LABELS)
        app = self._app
        for model in (*app.router.models, *app.router.mirrors):
            labels = (app.endpoint.name, model.release.id)
            tally = model.tally
            success.add_metric(labels, sum(tally.cells))
            failure.add_metric((*labels, "refused"), tally.refused)
            failure.add_metric((*labels, "failed"), tally.failed)
            durations.add_metric(labels, _buckets(tally.cells), tally.seconds)
            ready.add_metric(labels, not model.late)
        yield from (success, failure, durations, ready)
        yield CounterMetricFamily(
            "captures_lost", "Answers that were not recorded", value=app.lost()
        )
        yield CounterMetricFamily(
            "mirrors_skipped", "Copies of requests that no mirror took", value=app.mirrors_skipped
        )


def metrics(app: App, counts: HTTPCounts, behind: ASGI) -> ASGI:
    """What is behind, with ``/metrics`` before it.

    Raises:
        Unavailable: the library is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    except ImportError as error:
        raise Unavailable(
            "deploy-local: metrics needs a library: pip install 'interlock-deploy-local[metrics]'"
        ) from error
    registry = CollectorRegistry()
    registry.register(Collector(app, counts))
    ProcessCollector(registry=registry)
    kind = (b"content-type", CONTENT_TYPE_LATEST.encode("ascii"))

    def layer(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["path"] != PATH:
            return behind(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            refusal = Exchange(scope, receive, send)
            return refusal.refuse(405, "this path takes GET, HEAD", ALLOW_GET)
        return reply(send, 200, generate_latest(registry), kind)

    return layer


def _buckets(cells: list[int]) -> list[tuple[str, float]]:
    """Cells as Prometheus wants them: each bucket counts all up to its edge."""
    edges: list[Any] = [str(edge) for edge in LATENCY_EDGES] + ["+Inf"]
    return list(zip(edges, map(float, accumulate(cells)), strict=True))
