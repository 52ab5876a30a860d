"""OpenTelemetry: a span for each request, sent over OTLP in the background.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from interlock_hookspecs import Endpoint, Unavailable
from interlock_serving.http.asgi import NO_METHOD

if TYPE_CHECKING:
    from interlock_serving.layers.observe import Observation, Observer

_FAULT = 500
_SECONDS = 2.0  # for a batch; the last one is waited for at the end


def spans(url: str, endpoint: Endpoint) -> tuple[Observer, Callable[[], None]]:
    """What makes a span of a request, and what sends the last of them at the end.

    A request's ``traceparent`` is its parent, so that it stands in its caller's trace. Spans that
    the collector does not take are dropped, never waited for.

    Args:
        url: where the collector takes traces, as ``http://collector:4318/v1/traces``.
        endpoint: named as the service.

    Raises:
        Unavailable: the libraries are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError as error:
        raise Unavailable(
            "traces needs libraries: pip install 'interlock-serving[traces]'"
        ) from error
    resource = Resource.create(
        {"service.name": endpoint.name, "service.namespace": f"{endpoint.project}/{endpoint.stack}"}
    )
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=_SECONDS))
    )
    tracer = provider.get_tracer("interlock-serving")
    propagator = TraceContextTextMapPropagator()

    def observe(seen: Observation) -> None:
        carrier = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in seen.scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        name, attributes = _of_call(seen) if seen.code else _of_request(seen)
        span = tracer.start_span(
            name,
            context=propagator.extract(carrier) if carrier else None,
            kind=SpanKind.SERVER,
            start_time=seen.began,
            attributes={
                **attributes,
                "interlock.request_id": seen.request_id,
                "interlock.caller": seen.caller,
            },
        )
        if seen.status >= _FAULT or not seen.status:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_time=seen.began + int(seen.seconds * 1e9))

    return observe, provider.shutdown


def _of_request(seen: Observation) -> tuple[str, dict[str, str | int]]:
    """The name and the attributes of a span of HTTP."""
    method = seen.scope["method"]
    return f"{'HTTP' if method == NO_METHOD else method} {seen.route}", {
        "http.request.method": method,
        "http.route": seen.route,
        "http.response.status_code": seen.status,
        "http.response.body.size": seen.size,
        "url.scheme": seen.scope["scheme"],
    }


def _of_call(seen: Observation) -> tuple[str, dict[str, str | int]]:
    """The name and the attributes of a span of gRPC."""
    method = seen.route.removeprefix("/")
    return method, {
        "rpc.system.name": "grpc",
        "rpc.method": method,
        "rpc.response.status_code": seen.code,
    }
