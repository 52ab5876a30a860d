"""How requests are made: deadlines, second tries, credentials, and what is said of failures."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import traceback
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from interlock_hookspecs import Facts, InvalidInput, Secret, Unavailable, Unsupported
from interlock_hookspecs.conformance import LocalWorkspace
from interlock_hookspecs.conformance.versions import NAME, model_of
from interlock_registry_mlflow import MlflowRegistry, transport

pytestmark = pytest.mark.stand_in

PASSWORD = "hunter2"
FOUND = {"model_version": {"name": NAME, "version": "1", "creation_timestamp": 0}}


class Answers:
    """A server that gives the answers it was told to, in order, and keeps what it was asked."""

    def __init__(self):
        self.asked, self.headers, self.script = [], [], []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                answers.asked.append(f"{self.command} {self.path.partition('?')[0]}")
                answers.headers.append(dict(self.headers))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                act = answers.script.pop(0) if answers.script else (200, {})
                if act is None:
                    self.close_connection = True
                    return
                if callable(act):
                    act = act()
                status, body = act
                content = json.dumps(body).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "https://login.example/start")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        for verb in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            setattr(Handler, f"do_{verb}", Handler.answer)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # who asked has hung up
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server():
    answers = Answers()
    yield answers
    answers.server.shutdown()
    answers.server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.01)


def registry(server, **settings):
    return MlflowRegistry(uri=server.url, **settings)


def absent(code):
    return (404 if code == "RESOURCE_DOES_NOT_EXIST" else 400, {"error_code": code, "message": ""})


@pytest.mark.parametrize("first", [(503, {}), (429, {}), (502, {}), (504, {}), None])
def test_a_question_is_asked_again(server, first):
    """A read is repeated where the server was busy or hung up, and its answer counts."""
    server.script = [first, absent("RESOURCE_DOES_NOT_EXIST")]
    assert registry(server).get_version(NAME, "1") is None
    assert server.asked == ["GET /api/2.0/mlflow/model-versions/get"] * 2


IMPORTS = (500, {"error_code": "INTERNAL_ERROR", "message": "partially initialized module"})


def test_a_question_that_the_server_failed_in_is_asked_once_more(server):
    """A part that was half imported is whole a moment later; what fails again is told, and why."""
    server.script = [IMPORTS, absent("RESOURCE_DOES_NOT_EXIST")]
    assert registry(server).get_version(NAME, "1") is None
    server.script = [IMPORTS] * 4
    with pytest.raises(Unavailable, match="partially initialized module"):
        registry(server).get_version(NAME, "1")
    assert len(server.asked) == 4
    server.script = [IMPORTS]
    with pytest.raises(Unavailable, match="partially initialized module"):
        registry(server, attempts=1).get_version(NAME, "1")


def test_a_server_that_fails_and_then_is_busy_is_asked_as_often_as_any(server):
    """The second try is one of `attempts`."""
    server.script = [(503, {}), IMPORTS, (503, {}), absent("RESOURCE_DOES_NOT_EXIST")]
    assert registry(server).get_version(NAME, "1") is None
    server.script = [IMPORTS, *[(503, {})] * 4]
    with pytest.raises(Unavailable, match=r"503 Service Unavailable"):
        registry(server).get_version(NAME, "1")
    assert len(server.asked) == 8


@pytest.mark.parametrize("first", [(503, {}), (500, {}), None])
def test_what_makes_something_is_never_made_twice(server, first, tmp_path):
    """A request that makes a thing is sent once: its answer may be lost when it is done."""
    ws = LocalWorkspace(tmp_path)
    nothing = (200, {})
    missing = absent("RESOURCE_DOES_NOT_EXIST")
    # Looked for by id, by digest, for an earlier attempt; then the experiment is made.
    server.script = [nothing, nothing, missing, missing, first]
    with pytest.raises(Unavailable):
        registry(server).register_version(NAME, "version-1", model_of("a", ws), Facts(), ws)
    made = [line for line in server.asked if line.endswith("/create")]
    assert made == ["POST /api/2.0/mlflow/experiments/create"]


def test_the_last_failure_is_told(server):
    """After the last attempt the error says what the server answered and what to do."""
    server.script = [(503, {})] * 4
    with pytest.raises(Unavailable, match=r"503 Service Unavailable.*start the MLflow server"):
        registry(server).get_version(NAME, "1")
    assert len(server.asked) == 4


def test_a_server_that_is_gone_is_told():
    """Where nothing listens the error says so."""
    with pytest.raises(Unavailable, match="nothing listens there"):
        MlflowRegistry(uri="http://127.0.0.1:9").get_version(NAME, "1")


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that no authority of the system's vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


def test_a_certificate_is_verified_whatever_the_environment_says(
    server, certificate, monkeypatch, tmp_path
):
    """One that nobody vouches for is refused before anything is asked; `ca` names who does."""
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    server.url = server.url.replace("http:", "https:")
    with pytest.raises(Unavailable, match="certificate that does not verify: set `ca`"):
        registry(server, token=Secret(PASSWORD)).get_version(NAME, "1")
    assert server.asked == []
    server.script = [absent("RESOURCE_DOES_NOT_EXIST")]
    known = registry(server, token=Secret(PASSWORD), ca="server.pem", root=tmp_path)
    assert known.get_version(NAME, "1") is None
    assert server.headers[0]["Authorization"] == f"Bearer {PASSWORD}"


def test_a_silent_server_is_not_waited_for(server):
    """A server that accepts and says nothing is given up after `timeout`."""
    given_up = threading.Event()
    server.script = [lambda: (given_up.wait(60), (200, FOUND))[1]] * 2
    with pytest.raises(Unavailable, match=r"silent for 0\.1 s"):
        registry(server, timeout=0.1, attempts=2).get_version(NAME, "1")
    given_up.set()


def test_a_bearer_token_is_sent(server):
    registry(server, token=Secret(PASSWORD)).get_version(NAME, "nothing")
    assert server.headers[0]["Authorization"] == f"Bearer {PASSWORD}"


def test_basic_credentials_are_sent(server, monkeypatch, tmp_path):
    """Those of the stack file are sent, and not those of a .netrc."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    registry(server, username="ana", password=Secret(PASSWORD)).get_version(NAME, "nothing")
    registry(server).get_version(NAME, "nothing")
    expected = base64.b64encode(f"ana:{PASSWORD}".encode()).decode()
    assert server.headers[0]["Authorization"] == f"Basic {expected}"
    assert "Authorization" not in server.headers[1]


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((401, "no"), InvalidInput, "set `token`"),
        ((403, {"error_code": "PERMISSION_DENIED", "message": "x"}), InvalidInput, "may write"),
        ((404, "<html>"), Unsupported, "is it an MLflow 3 server"),
        ((302, {}), InvalidInput, r"sends us on to login\.example"),
        ((500, {"error_code": "INTERNAL_ERROR", "message": "disk full"}), Unavailable, "disk full"),
        ((200, "a page"), Unavailable, "valid JSON|not valid|JSON"),
    ],
)
def test_an_answer_becomes_an_error_that_says_what_to_do(server, answer, kind, said):
    """What the server says becomes an error of the contract's, without a credential in it."""
    server.script = [answer] * 2
    with pytest.raises(kind, match=said) as caught:
        registry(server, token=Secret(PASSWORD)).get_version(NAME, "1")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("uri", [f"http://ana:{PASSWORD}@127.0.0.1:1", f"http://h/?t={PASSWORD}"])
def test_credentials_in_the_address_are_refused(uri):
    """An address with a password in it is refused, and not repeated."""
    with pytest.raises(InvalidInput, match="credentials go into") as caught:
        MlflowRegistry(uri=uri).get_version(NAME, "1")
    assert PASSWORD not in str(caught.value)


def test_an_address_from_the_environment_is_not_told():
    """Of an address that is a secret the error says nothing."""
    with pytest.raises(Unavailable, match="the server that `uri` names") as caught:
        MlflowRegistry(uri=Secret("http://127.0.0.1:9"), attempts=1).get_version(NAME, "1")
    assert "127.0.0.1" not in str(caught.value)
