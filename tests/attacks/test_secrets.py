"""Secrets from the environment: in nothing that is printed, and in nothing that is written."""

import base64
import contextlib
import json
import sqlite3
import zipfile
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

AWKWARD = 's3"cr/t pä%ss+w0rd'
MARKS = {
    "LEDGER_HOME": "mark-ledger-7d1f",
    "ARTIFACTS": "mark-artifacts-93ab",
    "REGISTRY_URL": "mark-registry-5c0e",
    "TOKEN": AWKWARD,
    "ACME_PASSWORD": "mark-acme-11ee'\\",
    "FAR_PASSWORD": "mark-far-42/aa",
    "AWS_SECRET_ACCESS_KEY": "mark-unnamed-8e8e",
}
STACK = """
[stack.dev.registry-sql]
url = "${REGISTRY_URL}"

[stack.dev.data-files]
storage_options = { token = "${TOKEN}" }

[stack.dev.validate-acme]
password = "${ACME_PASSWORD}"

[stack.far-ledger]
extends = "dev"
ledger = "postgresql://user:${FAR_PASSWORD}@127.0.0.1:1/base?sslpassword=${TOKEN}"

[stack.far-registry]
extends = "dev"
[stack.far-registry.registry-sql]
url = "postgresql://user:${FAR_PASSWORD}@127.0.0.1:1/base"

[stack.far-artifacts]
extends = "dev"
artifacts = "ftp://user:${FAR_PASSWORD}@127.0.0.1:1/base"

[stack.wrong-type]
extends = "dev"
[stack.wrong-type.deploy-local]
port = "${TOKEN}"

[stack.wrong-url]
extends = "dev"
ledger = "${TOKEN}"
"""
PROJECT = '''\
"""Code that is careless with what it knows."""

import logging
import os
import sys
import urllib.parse
import warnings

from interlock_hookspecs import Check, hookimpl

known = os.environ["TOKEN"]
print("imported with", known)
print(f"imported with {known!r}", file=sys.stderr)
logging.getLogger("interlock.plugins").warning("token %s", known)


@hookimpl
def check_data(rows):
    if os.environ.get("FAIL") == "raw":
        raise ValueError(f"cannot log in with {known}")
    if os.environ.get("FAIL") == "quoted":
        raise KeyError(known) from RuntimeError("https://host/?token=" + urllib.parse.quote(known))
    return [Check(name="share", value=0.5)]


@hookimpl
def on_event(event):
    if os.environ.get("FAIL") == "event":
        raise RuntimeError(f"no webhook for {known}")
'''
ACME = """\
import base64

from interlock_hookspecs import Check, Secret, Verdict, hookimpl, plugin, reveal, setting


@plugin(contract="1.0")
class Acme:
    password: str | Secret[str] = setting("", doc="of the service")

    @hookimpl
    def check_data(self, rows):
        import os

        fail = os.environ.get("FAIL")
        if fail == "plugin":
            raise ConnectionError(f"user:{reveal(self.password)}@host refused, {self!r}")
        if fail == "coded":
            coded = base64.b64encode(reveal(self.password).encode()).decode()
            raise ConnectionError(f"Authorization: {coded}")
        return []

    @hookimpl
    def check_model(self, predictor):
        return []

    @hookimpl
    def review(self, dossier):
        import os

        if os.environ.get("FAIL") == "review":
            raise ConnectionError(f"no answer to {reveal(self.password)}")
        return []
"""


def forms(mark):
    """How a text may stand in a file or a line."""
    yield from {mark, quote(mark), quote(mark, safe=""), quote_plus(mark)}
    yield from {
        json.dumps(mark)[1:-1],
        json.dumps(mark, ensure_ascii=False)[1:-1],
        repr(mark)[1:-1],
    }
    for coded in (base64.b64encode(mark.encode()), base64.urlsafe_b64encode(mark.encode())):
        yield coded.decode().rstrip("=")


def contents(path):
    """Every byte of a file, what is packed in it unpacked."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    with contextlib.suppress(pa.ArrowException):  # it is no table
        yield repr(pq.read_table(path).to_pylist()).encode()


@pytest.fixture
def careless(small, install, tmp_path):
    """A project with a secret in every place that takes one, and careless code around them."""
    install(small, ACME)
    (small.folder / "project.py").write_text(PROJECT, encoding="utf-8")
    small.edit('"sqlite:///.interlock/ledger.db"', '"sqlite:///${LEDGER_HOME}/ledger.db"')
    small.edit('".interlock/artifacts"', '"${ARTIFACTS}"')
    with (small.folder / "interlock.toml").open("a") as file:
        file.write(STACK)
    homes = {name: tmp_path / MARKS[name] for name in ("LEDGER_HOME", "ARTIFACTS", "REGISTRY_URL")}
    for home in homes.values():
        home.mkdir()
    small.environ |= MARKS | {name: str(home) for name, home in homes.items()}
    small.environ["REGISTRY_URL"] = f"sqlite:///{homes['REGISTRY_URL']}/registry.db"
    small.environ["INTERLOCK_SIGNING_KEY"] = str(signing_key(tmp_path / "key.pem"))
    small.roots = [small.folder, *homes.values()]
    return small


def signing_key(path):
    """A new private key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_no_secret_is_printed_or_written(careless, tmp_path):
    """A model's life, and its failures with --debug: every byte is read for every secret."""
    printed = []

    def typed(*words, expect=0, **environ):
        said = careless(*words, expect=expect, **environ)
        printed.append((" ".join(words), said.out + said.err))
        return said

    typed("stack", "show", "--origin")
    typed("stack", "show", "--json")
    typed("stack", "check", "--debug")
    typed("run", "--debug", FAIL="event")
    run = careless.run["id"]
    for words in (["show", run], ["show", run, "--json"], ["review", run, "--explain"]):
        typed(*words)
    for words in (["runs"], ["models"], ["deployments", "--json"], ["status"], ["audit", "log"]):
        typed(*words)
    typed("audit", "verify", "--artifacts", "--debug")
    for fail in ("raw", "quoted", "plugin", "coded", "review"):
        failed = typed("run", "--again", "--debug", expect=3, FAIL=fail)
        assert "***" in failed.err
        assert "***" in careless.run["message"]
    for stack in ("far-ledger", "far-registry", "far-artifacts"):
        typed("run", "--debug", "--stack", stack, expect=1)
    for stack in ("wrong-type", "wrong-url"):
        typed("run", "--debug", "--stack", stack, expect=2)
    typed("undeploy", "--debug")
    files = [path for root in careless.roots for path in root.rglob("*") if path.is_file()]
    suffixes = {path.suffix for path in files}
    assert {".db", ".log", ".json", ".lock"} <= suffixes
    marks = {name: list(forms(mark)) for name, mark in MARKS.items()}
    marks["key"] = [(tmp_path / "key.pem").read_text().splitlines()[1]]
    everything = [(name, text.encode()) for name, text in printed]
    everything += [(str(path), data) for path in files for data in contents(path)]
    leaks = {
        (place, name, form)
        for place, data in everything
        for name, found in marks.items()
        for form in found
        if form.encode() in data
    }
    assert not leaks


def test_what_was_replaced_is_the_secret_alone(careless):
    """The message that is left says what failed; the ledger of it verifies."""
    said = careless("run", expect=3, FAIL="raw")
    assert "ValueError: cannot log in with ***" in said.err
    (event,) = careless.listed("audit", "log", "--kind", "stage.refused")
    assert event["payload"]["message"].endswith("ValueError: cannot log in with ***")
    home = careless.environ["LEDGER_HOME"]
    with contextlib.closing(sqlite3.connect(f"{home}/ledger.db")) as ledger:
        bodies = ledger.execute("SELECT body FROM payloads").fetchall()
    assert any(b"cannot log in with ***" in body for (body,) in bodies)
    careless("audit", "verify")
