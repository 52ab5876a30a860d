"""TLS: the server's certificate, and the clients' certificates where they are asked for."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import InvalidInput, Unavailable, reveal

if TYPE_CHECKING:
    from pathlib import Path

    from interlock_deploy_local import LocalServer


def server_context(settings: LocalServer) -> ssl.SSLContext | None:
    """The server's side of TLS 1.2 and later; None where the settings name no certificate.

    A client without a certificate is let in as far as the health paths, so that a probe can ask;
    one with a certificate that ``tls_client_ca`` did not sign is not let in at all.

    Raises:
        InvalidInput: a setting is missing beside another.
        Unavailable: a file cannot be read, or is not what its setting says.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        if (certificate, key, settings.tls_client_ca) == (None, None, None):
            return None
        raise InvalidInput("deploy-local: TLS needs both tls_certificate and tls_key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    password = settings.tls_key_password
    # Without a password of ours OpenSSL would ask for one at a terminal.
    secret = "" if password is None else reveal(password)
    try:
        context.load_cert_chain(certificate, key, password=secret)
    except OSError as error:
        raise Unavailable(
            f"deploy-local: tls_certificate {certificate} with tls_key {key}: {_reason(error)}"
        ) from error
    if settings.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except OSError as error:
            raise Unavailable(
                f"deploy-local: tls_client_ca {settings.tls_client_ca}: {_reason(error)}"
            ) from error
    return context


def client_context(certificate: Path) -> ssl.SSLContext:
    """For asking a server of ours: its own certificate is trusted, and no other.

    Raises:
        OSError: the file cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The address is one of this machine's, which the certificate need not name.
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    return context


def peer_name(connection: Any) -> str | None:
    """The name in the certificate of the other side; None where it showed none.

    Args:
        connection: the `ssl.SSLObject` of a connection, or None where it has none.
    """
    shown = connection.getpeercert() if connection is not None else None
    if not shown:
        return None
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind in ("URI", "DNS")]
    subject = dict(part for parts in shown.get("subject", ()) for part in parts)
    return str(subject.get("commonName") or next(iter(names), "unnamed"))


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"OpenSSL does not take it ({error.reason or 'no PEM certificate in it'})"
    return error.strerror or type(error).__name__
