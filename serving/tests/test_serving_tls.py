"""TLS and mutual TLS, with certificates that are made here."""

import contextlib
import datetime as dt
import http.client
import logging
import ssl
from types import SimpleNamespace

import grpc
import pytest
from asking import ENDPOINT, MODEL, ROW
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rpc_client import channel, refused

from interlock_hookspecs import Deployment, InvalidInput, Secret, Unavailable
from interlock_serving import ServerSettings, endpoint_status, serve_endpoint

pytestmark = pytest.mark.real_backend

KEY = "mobile-0123456789"
PASSWORD = b"a password of the key"


class Authority:
    """A certificate authority, and the files that it writes."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key, authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name, password=None):
        """A certificate and its key, as two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key)
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        hidden = serialization.NoEncryption()
        if password:
            hidden = serialization.BestAvailableEncryption(password)
        files[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        )
        return files

    def _sign(self, name, key, *, authority=False):
        import ipaddress

        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"), "labour-ca")


@pytest.fixture(scope="module")
def tls(authority):
    certificate, key = authority.issue("server")
    return {"tls_certificate": certificate, "tls_key": key}


def ask(client, authority, path, *, certificate=None, **headers):
    """Status of a request over TLS, which trusts the authority."""
    context = ssl.create_default_context(cafile=authority.file)
    if certificate:
        context.load_cert_chain(*certificate)
    link = http.client.HTTPSConnection(*client.at, timeout=60, context=context)
    with contextlib.closing(link):
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        return answer.status, answer.read().decode()


def deployment(client):
    return Deployment(id="deployment-1", endpoint=ENDPOINT, address=client.feed.told)


def test_an_endpoint_over_tls(serving, target, authority, tls):
    """It answers who verifies its certificate, and who speaks no TLS not at all."""
    with serving(target(1), **tls) as client:
        assert client.feed.told.startswith("https://127.0.0.1:")
        assert ask(client, authority, MODEL)[0] == 200
        with pytest.raises((http.client.HTTPException, OSError)):
            client.get(MODEL)


def test_its_status_trusts_its_own_certificate_only(serving, target, authority, tls):
    """Core asks over TLS, too; another certificate at the address is another server."""
    other, _ = authority.issue("other-server")
    with serving(target(1), **tls) as client:
        status = endpoint_status(ServerSettings(**tls), deployment(client))
        assert (status.live, status.ready, status.serving) == (True, True, ("release-1",))
        wrong = endpoint_status(ServerSettings(tls_certificate=other), deployment(client))
        assert (wrong.live, "does not answer" in wrong.detail) == (False, True)
        gone = ServerSettings(tls_certificate=other.with_name("gone.pem"))
        assert "gone.pem cannot be read" in endpoint_status(gone, deployment(client)).detail


def test_clients_show_certificates(serving, target, authority, tls):
    """With a client CA, a request needs a certificate of it; health does not."""
    with serving(target(1), **tls, tls_client_ca=authority.file) as client:
        known = authority.issue("client")
        assert ask(client, authority, MODEL, certificate=known)[0] == 200
        status, text = ask(client, authority, MODEL)
        assert (status, "for clients with a certificate" in text) == (401, True)
        assert ask(client, authority, "/v2/health/ready")[0] == 200
        assert endpoint_status(ServerSettings(**tls), deployment(client)).ready


def test_a_strangers_certificate_opens_nothing(serving, target, authority, tls, tmp_path):
    """One that another authority signed, of the same name even, is refused by the handshake."""
    stranger = Authority(tmp_path, "labour-ca").issue("client")
    with (
        serving(target(1), **tls, tls_client_ca=authority.file) as client,
        pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)),
    ):
        ask(client, authority, "/v2/health/live", certificate=stranger)


def test_certificate_and_key_are_both_needed(serving, target, authority, tls):
    """Where both are set, one of them opens nothing."""
    settings = {**tls, "tls_client_ca": authority.file, "api_keys": {"mobile": Secret(KEY)}}
    with serving(target(1), **settings) as client:
        known = authority.issue("client")
        assert ask(client, authority, MODEL, certificate=known)[0] == 401
        assert ask(client, authority, MODEL, **{"x-api-key": KEY})[0] == 401
        both = ask(client, authority, MODEL, certificate=known, **{"x-api-key": KEY})
        assert both[0] == 200


def test_the_name_of_a_certificate_is_the_caller(serving, target, authority, tls, tensors):
    """Rates are counted by it."""
    settings = {**tls, "tls_client_ca": authority.file, "rate_limits": {"client-a": 0.001}}
    with serving(target(1), **settings) as client:
        statuses = []
        for name in ("client-a", "client-a", "client-b", "client-b"):
            context = ssl.create_default_context(cafile=authority.file)
            context.load_cert_chain(*authority.issue(name))
            link = http.client.HTTPSConnection(*client.at, timeout=60, context=context)
            with contextlib.closing(link):
                link.request("POST", f"{MODEL}/batch", b'{"rows": [3]}')
                statuses.append(link.getresponse().status)
    assert statuses == [400, 429, 400, 400]


def test_old_tls_is_refused(serving, target, authority, tls):
    """Nothing before TLS 1.2 is spoken."""
    context = ssl.create_default_context(cafile=authority.file)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(target(1), **tls) as client:
        link = http.client.HTTPSConnection(*client.at, timeout=60, context=context)
        with contextlib.closing(link), pytest.raises(OSError, match=r"(?i)ssl|protocol|version"):
            link.request("GET", MODEL)


def test_an_encrypted_key_opens_with_its_password(serving, target, authority):
    """The password comes from the environment; a wrong one is told without it."""
    certificate, key = authority.issue("guarded", PASSWORD)
    tls = {"tls_certificate": certificate, "tls_key": key}
    with serving(target(1), **tls, tls_key_password=Secret(PASSWORD.decode())) as client:
        assert ask(client, authority, MODEL)[0] == 200
    for password in (None, Secret("another password")):
        why = refusal(client, Unavailable, **tls, tls_key_password=password)
        assert "guarded.key" in why
        assert "another password" not in why


def test_a_renewed_certificate_is_taken_over(serving, target, authority, caplog):
    """Without a restart; while only one of its two files is there, the old one stays."""
    tls = dict(zip(("tls_certificate", "tls_key"), authority.issue("renewed"), strict=True))

    def shown(client):
        pem = ssl.get_server_certificate(client.at, timeout=60)
        return x509.load_pem_x509_certificate(pem.encode()).serial_number

    with serving(target(1), **tls) as client:
        first = shown(client)
        half = authority.issue("half")[0].read_bytes()
        tls["tls_certificate"].write_bytes(half)
        client.until(lambda: "the certificate stays as it is" in caplog.text)
        assert shown(client) == first
        authority.issue("renewed")
        wanted = x509.load_pem_x509_certificate(tls["tls_certificate"].read_bytes())
        client.until(lambda: shown(client) == wanted.serial_number)
        assert ask(client, authority, MODEL)[0] == 200


def refusal(client, kind, **settings):
    workspace = SimpleNamespace(log=logging.getLogger("test"))
    with pytest.raises(kind) as raised:
        serve_endpoint(
            ServerSettings(**settings), ENDPOINT, client.feed, client.captures, workspace
        )
    return str(raised.value)


def test_files_that_do_not_fit_are_named(client, authority, tls, tmp_path):
    """A missing file, a key of another certificate, no PEM: each is told before it listens."""
    _, other = authority.issue("other")
    text = tmp_path / "notes.pem"
    text.write_text("no certificate")
    wrong = {
        "gone.pem": {**tls, "tls_certificate": tmp_path / "gone.pem"},
        "other.key": {**tls, "tls_key": other},
        "notes.pem": {**tls, "tls_client_ca": text},
    }
    for name, settings in wrong.items():
        assert name in refusal(client, Unavailable, **settings)
    alone = {"tls_certificate": tls["tls_certificate"]}
    assert "both tls_certificate and tls_key" in refusal(client, InvalidInput, **alone)
    ca = {"tls_client_ca": authority.file}
    assert "both tls_certificate and tls_key" in refusal(client, InvalidInput, **ca)


@contextlib.contextmanager
def calls(client, authority, *pair):
    """A gRPC connection of its own, which trusts the authority."""
    read = [file.read_bytes() for file in reversed(pair)]
    known = grpc.ssl_channel_credentials(authority.file.read_bytes(), *read)
    apart = [("grpc.use_local_subchannel_pool", 1)]
    with channel(client, known, apart, at=client.running._app.grpc) as asked:
        yield asked


def test_grpc_speaks_the_same_tls(serving, target, authority, tls):
    """Who verifies its certificate is answered, and who speaks no TLS is not."""
    with serving(target(1), grpc_port=0, **tls) as client:
        with calls(client, authority) as asked:
            assert asked.infer(ROW).model_version == "release-1"
        with channel(client, at=client.running._app.grpc) as asked, refused("UNAVAILABLE"):
            asked.infer(ROW)


def test_grpc_knows_clients_by_certificate(serving, target, authority, tls, tmp_path):
    """Without one, or with a stranger's, not even health is told; its name is the caller."""
    settings = {**tls, "tls_client_ca": authority.file, "rate_limits": {"client-a": 0.001}}
    with serving(target(1), grpc_port=0, **settings) as client:
        stranger = Authority(tmp_path, "labour-ca").issue("client-a")
        for pair in ((), stranger):
            with calls(client, authority, *pair) as asked, refused("UNAVAILABLE"):
                asked.call("ServerLive")
        with calls(client, authority, *authority.issue("client-a")) as asked:
            assert asked.infer(ROW).outputs
            with refused("RESOURCE_EXHAUSTED", "'client-a' asks too often"):
                asked.infer(ROW)
        with calls(client, authority, *authority.issue("client-b")) as asked:
            assert asked.infer(ROW).outputs


def test_grpc_takes_over_an_encrypted_key_and_a_renewed_certificate(
    serving, target, authority, tmp_path, caplog
):
    """As HTTPS does: half of a pair leaves the old one; then another authority's is shown."""
    pair = authority.issue("guarded", PASSWORD)
    settings = dict(zip(("tls_certificate", "tls_key"), pair, strict=True))
    settings["tls_key_password"] = Secret(PASSWORD.decode())
    other = Authority(tmp_path, "other-ca")
    certificate, key = other.issue("guarded", PASSWORD)
    with serving(target(1), grpc_port=0, **settings) as client:
        with calls(client, authority) as asked:
            assert asked.infer(ROW).outputs
        pair[0].write_bytes(certificate.read_bytes())
        with calls(client, authority) as asked:
            assert asked.infer(ROW).outputs
        assert "the certificate stays as it is for gRPC" in caplog.text
        pair[1].write_bytes(key.read_bytes())
        with calls(client, other) as asked:
            assert asked.infer(ROW).outputs
