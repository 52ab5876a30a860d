"""TLS for gRPC by the settings of HTTPS: the same certificate, renewed alike, the same clients.

A client's certificate is asked for in the handshake, so that without one nothing is answered,
the health calls included: gRPC has no handshake in which a certificate is optional.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock_hookspecs import PluginError, Unavailable, reveal
from interlock_serving.wire.tls import server_context, stamps

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from pathlib import Path

    from interlock_serving.settings import ServerSettings


def credentials(settings: ServerSettings, log: logging.Logger) -> Any:
    """The server's `grpc.ServerCredentials`; None where the settings name no certificate.

    Args:
        settings: name the files; `server_context` has taken them.
        log: told of a renewed certificate that cannot be loaded.

    Raises:
        Unavailable: a file cannot be read.
    """
    import grpc

    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None

    def configuration() -> Any:
        authority = settings.tls_client_ca
        return grpc.ssl_server_certificate_configuration(
            [(_key(settings, key), _read(certificate))],
            root_certificates=None if authority is None else _read(authority),
        )

    return grpc.dynamic_ssl_server_credentials(
        configuration(),
        _renewed(settings, configuration, log),
        require_client_authentication=settings.tls_client_ca is not None,
    )


def _renewed(
    settings: ServerSettings, configuration: Callable[[], Any], log: logging.Logger
) -> Callable[[], Any]:
    """What is asked before each handshake: the new configuration where files have changed."""
    loaded = told = stamps(settings)

    def fetch() -> Any:
        nonlocal loaded, told
        now = stamps(settings)
        if now == loaded:
            return None
        try:
            server_context(settings)  # tries whether key and certificate belong together
            found = configuration()
        except PluginError as error:
            if now != told:
                log.warning("the certificate stays as it is for gRPC: %s", error)
            told = now
            return None
        loaded = now
        return found

    return fetch


def _key(settings: ServerSettings, file: Path) -> bytes:
    """The private key in the clear, as gRPC wants it."""
    content = _read(file)
    if settings.tls_key_password is None:
        return content
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise Unavailable(
            "tls_key_password with grpc_port needs a library: pip install 'interlock-serving[grpc]'"
        ) from error
    try:
        key = serialization.load_pem_private_key(
            content, reveal(settings.tls_key_password).encode()
        )
    except (ValueError, TypeError) as error:
        raise Unavailable(f"tls_key {file}: tls_key_password does not open it") from error
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Unavailable(f"{file}: {error.strerror}") from error
