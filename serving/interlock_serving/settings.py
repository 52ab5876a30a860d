"""What a server may be told: the fields that every plugin that serves by this server has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from interlock_hookspecs import Secret, setting

Right = Literal["infer", "describe", "metrics"]

_LAST_PORT = 65_535


def _port(_: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and not 0 <= value <= _LAST_PORT:
        raise ValueError(f"{attribute.name} is out of range: 0 (any free one) to {_LAST_PORT}")


def _positive(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{attribute.name} is out of range: more than 0")


def _no_less(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{attribute.name} is out of range: 0 or more")


def _rates(_: object, attribute: attrs.Attribute[Any], value: Mapping[str, float]) -> None:
    for name, rate in value.items():
        if not rate >= 0:
            raise ValueError(f"{attribute.name}.{name} is out of range: 0 or more")


def _share(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} is out of range: 0 to 1")


@attrs.define(eq=False, kw_only=True)
class ServerSettings:
    """The settings of a server; a plugin's class inherits them and adds its own."""

    host: str = setting("127.0.0.1", doc="the address to listen on; others than loopback reach it")
    port: int = setting(0, doc="the port to listen on; 0 takes a free one", validator=_port)
    grpc_port: int | None = setting(
        None,
        doc="the port for gRPC, 0 for a free one; without it none; needs the extra grpc",
        validator=_port,
    )
    max_body: int = setting(
        8 * 1024 * 1024, doc="bytes of a request's body, at most", validator=_positive
    )
    max_rows: int = setting(10_000, doc="rows of a request, at most", validator=_positive)
    batch_rows: int = setting(
        4_096, doc="rows scored at once, at most, where requests wait", validator=_positive
    )
    queue_rows: int = setting(
        20_000, doc="rows that wait for a model, at most; then 429", validator=_positive
    )
    max_concurrency: int = setting(
        0,
        doc="requests with one model, waiting or scored, at most; then 429; 0 for no limit",
        validator=_no_less,
    )
    max_connections: int = setting(
        1_000, doc="open connections, at most; then idle ones are closed", validator=_positive
    )
    header_seconds: float = setting(
        10.0, doc="seconds for a request's header to arrive", validator=_positive
    )
    body_seconds: float = setting(
        30.0, doc="seconds for a request's body to arrive", validator=_positive
    )
    answer_seconds: float = setting(
        30.0, doc="seconds for a model to answer; then 503", validator=_positive
    )
    write_seconds: float = setting(
        30.0, doc="seconds for a client to take its answer", validator=_positive
    )
    idle_seconds: int = setting(
        60, doc="seconds that a connection stays open between requests", validator=_positive
    )
    drain_seconds: int = setting(
        20, doc="seconds for requests in flight when told to stop", validator=_positive
    )
    workers: int = setting(
        1, doc="processes that serve, each with the models open", validator=_positive
    )
    supervised: bool = setting(
        default=False,
        doc="whether a process watches over a single worker, too, and replaces it",
    )
    silent_seconds: float = setting(
        30.0,
        doc="seconds that a worker which is watched over may hang; then it is replaced",
        validator=_positive,
    )
    api_keys: Mapping[str, Secret[str]] = setting(
        attrs.Factory(dict), doc="keys by name, each from ${NAME}; with any, a request needs one"
    )
    key_rights: Mapping[str, tuple[Right, ...]] = setting(
        attrs.Factory(dict),
        doc="what a key is for, by its name: infer, describe, metrics; without, for everything",
    )
    rate_limit: float = setting(
        0.0,
        doc="requests a second of each caller, counted by each worker; 0 for no limit",
        validator=_no_less,
    )
    rate_limits: Mapping[str, float] = setting(
        attrs.Factory(dict), doc="the same for single keys, by their name", validator=_rates
    )
    tls_certificate: Path | None = setting(
        None, doc="PEM file with the server's certificate and what signed it"
    )
    tls_key: Path | None = setting(None, doc="PEM file with the private key of the certificate")
    tls_key_password: Secret[str] | None = setting(
        None, doc="the password of tls_key, from ${NAME}, where it has one"
    )
    tls_client_ca: Path | None = setting(
        None, doc="PEM file with who signs clients' certificates; with it, a request needs one"
    )
    metrics: bool = setting(
        default=False, doc="whether Prometheus finds metrics at /metrics; needs the extra metrics"
    )
    traces: str = setting(
        "", doc="URL of an OpenTelemetry collector's OTLP/HTTP traces; needs the extra traces"
    )
    access_log: Path | None = setting(None, doc="file that gets a line of JSON for each request")
    capture_share: float = setting(
        1.0, doc="share of the requests that is captured, 0 to 1, by their ids", validator=_share
    )
    private_columns: Mapping[str, Literal["hash", "drop"]] = setting(
        attrs.Factory(dict), doc="what is done with a sent column before it is captured, by name"
    )
    private_key: Secret[str] | None = setting(
        None, doc="the key of the hashes of private columns, from ${NAME}"
    )

    @property
    def has_supervisor(self) -> bool:
        """Whether the workers are processes of their own, which another one watches over."""
        return self.workers > 1 or self.supervised
