"""What a ledger's URL says of TLS reaches the driver: a server that cannot prove itself is refused.

The server of these tests is built without TLS, so its end of it is a proxy before it, as a pooler
is. The client's end, which is what these tests are about, is libpq's own.
"""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from interlock.errors import LedgerError
from interlock.ledger import Ledger, verify
from interlock_hookspecs import Actor

pytestmark = pytest.mark.real_backend
ANA = Actor(subject="ana")
SSL_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])


def certificate(folder, name):
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.crt", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


def pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def front(postgresql):
    """Open a port of this machine before the server, with TLS or without; gives its number."""
    server = Path(parse_qs(urlsplit(postgresql.address).query)["host"][0], ".s.PGSQL.5432")
    listeners = []

    def serve(client, context):
        with contextlib.suppress(OSError):
            if client.recv(8, socket.MSG_PEEK) == SSL_REQUEST:
                client.recv(8)
                client.sendall(b"S" if context else b"N")
                client = context.wrap_socket(client, server_side=True) if context else client
            behind = socket.socket(socket.AF_UNIX)
            behind.connect(str(server))
            threading.Thread(target=pass_on, args=(behind, client), daemon=True).start()
            pass_on(client, behind)
            behind.close()
        client.close()

    def accept(listener, context):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client, context), daemon=True).start()

    def start(pair=None):
        context = None
        if pair:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=accept, args=(listeners[-1], context), daemon=True).start()
        return listeners[-1].getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_server_that_proves_itself_is_written_to(url, front, tmp_path):
    """sslmode=verify-full, against the certificate that the URL names."""
    pair = certificate(tmp_path, "right")
    address = f"postgresql://postgres@127.0.0.1:{front(pair)}/postgres"
    with Ledger.open(f"{address}?sslmode=verify-full&sslrootcert={pair[0]}", actor=ANA) as ledger:
        with ledger.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver.pgconn.ssl_in_use
        ledger.append("p", "a", "x", {})
        assert verify(ledger).ok


def test_another_certificate_is_refused(url, front, tmp_path):
    """Somebody stands in between: nothing is sent to them."""
    right, wrong = certificate(tmp_path, "right"), certificate(tmp_path, "wrong")
    address = f"postgresql://ana:hunter2@127.0.0.1:{front(wrong)}/postgres"
    with pytest.raises(LedgerError, match="certificate verify failed") as caught:
        Ledger.open(f"{address}?sslmode=verify-full&sslrootcert={right[0]}", actor=ANA)
    assert "hunter2" not in str(caught.value)


def test_a_server_without_tls_is_refused_where_it_is_required(url, front):
    """It is not quietly spoken to in the clear."""
    address = f"postgresql://postgres@127.0.0.1:{front()}/postgres"
    with pytest.raises(LedgerError, match="does not support SSL"):
        Ledger.open(f"{address}?sslmode=require", actor=ANA)
    with Ledger.open(f"{address}?sslmode=prefer", actor=ANA) as ledger:
        assert ledger.id
