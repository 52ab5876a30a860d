"""TLS: the server's certificate, and the clients' certificates where they are asked for."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

from interlock_hookspecs import InvalidInput, PluginError, Unavailable, reveal

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    from interlock_serving.settings import ServerSettings

_RENEW_SECONDS = 1.0


def server_context(settings: ServerSettings) -> ssl.SSLContext | None:
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
        raise InvalidInput("TLS needs both tls_certificate and tls_key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        _load(context, settings)
    except OSError as error:
        raise Unavailable(
            f"tls_certificate {certificate} with tls_key {key}: {_reason(error)}"
        ) from error
    if settings.tls_client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except OSError as error:
            raise Unavailable(
                f"tls_client_ca {settings.tls_client_ca}: {_reason(error)}"
            ) from error
    return context


async def renew(context: ssl.SSLContext, settings: ServerSettings, log: logging.Logger) -> None:
    """Take over the certificate and its key whenever their files change; never returns.

    New connections get the new one. What cannot be loaded, one of two files that was written
    already, say, leaves the old one in place.

    Args:
        context: of `server_context`.
        settings: name the files.
        log: told of what is taken over, and of what is not.
    """
    loaded = told = stamps(settings)
    while True:
        await asyncio.sleep(_RENEW_SECONDS)
        now = stamps(settings)
        if now == loaded:
            continue
        try:
            # A context that fails to load has lost what it had: another one tries first.
            server_context(settings)
            _load(context, settings)
        except (PluginError, OSError) as error:
            # Tried again, and told once: two writes within a tick of the clock look like one.
            if now != told:
                log.warning("the certificate stays as it is: %s", error)
            told = now
        else:
            loaded = now
            log.info("the certificate was renewed")


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


def _load(context: ssl.SSLContext, settings: ServerSettings) -> None:
    certificate, key, password = (
        settings.tls_certificate,
        settings.tls_key,
        settings.tls_key_password,
    )
    if certificate is not None:
        # Without a password of ours OpenSSL would ask for one at a terminal.
        secret = "" if password is None else reveal(password)
        context.load_cert_chain(certificate, key, password=secret)


def stamps(settings: ServerSettings) -> list[tuple[int, int] | None]:
    """What tells a file's content from what it was; None where there is no file."""
    stats: list[tuple[int, int] | None] = []
    for file in (settings.tls_certificate, settings.tls_key):
        try:
            found = file.stat() if file is not None else None
        except OSError:
            found = None
        stats.append((found.st_mtime_ns, found.st_ino) if found else None)
    return stats


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"OpenSSL does not take it ({error.reason or 'no PEM certificate in it'})"
    return error.strerror or type(error).__name__
