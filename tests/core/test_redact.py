"""Secrets out of output: raw, encoded, in pieces, in log records and tracebacks."""

import io
import json
import logging
import sys
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.redact import (
    RedactingFilter,
    RedactingStream,
    Redactor,
    collect_secrets,
    redact_output,
)
from interlock.session import Session
from interlock.stack import load_stack
from interlock_hookspecs import Maker, Secret

TEXT = "hunter2 p@ss/wörd"


@pytest.mark.parametrize(
    "form",
    [
        TEXT,
        quote(TEXT),
        quote(TEXT, safe=""),
        quote_plus(TEXT),
        repr(TEXT),
        json.dumps(TEXT),
        b64encode(TEXT.encode()).decode().rstrip("="),
        urlsafe_b64encode(TEXT.encode()).decode().rstrip("="),
    ],
)
def test_every_form_is_replaced(form):
    """A secret is replaced however a URL, a repr, JSON or a header writes it."""
    assert Redactor([Secret(TEXT)])(f"a {form} b").replace("'", "").replace('"', "") == "a *** b"


def test_parts_of_a_url():
    """The password of a secret URL is a secret by itself, as are tokens in its query."""
    redact = Redactor([Secret("postgresql://user:s%40cret@db/x?sslmode=require&token=abcdef")])
    assert redact("s%40cret s@cret abcdef require db") == "*** *** *** require db"


def test_where_a_url_leads():
    """An error that names the file, or the host and the database, of a secret URL shows neither."""
    redact = Redactor(
        [Secret("sqlite:////srv/team-blue/a.db"), Secret("postgresql://u@db.example:5/ledger")]
    )
    assert redact("/srv/team-blue/a.db, db.example/ledger") == "***, ***"


def test_lines_of_a_key():
    """Each line of a private key is replaced where it stands alone."""
    assert Redactor([Secret("-----BEGIN KEY-----\nMIIabcdefg\n")])("MIIabcdefg") == "***"


def test_short_secrets_stand():
    """A secret of three characters is not replaced: it stands in any text by chance."""
    assert Redactor([Secret("dev"), Secret(1)])("develop 1") == "develop 1"


def test_numbers_are_secrets_too():
    """A secret number is replaced where it is printed."""
    assert Redactor([Secret(918273)])("pin 918273") == "pin ***"


def test_the_longer_secret_goes_first():
    """A secret inside another leaves nothing of the longer one."""
    assert Redactor([Secret("hunter"), Secret("hunter-two")])("hunter-two") == "***"


@given(cuts=st.lists(st.integers(0, 60), max_size=12).map(sorted))
def test_a_stream_catches_pieces(cuts):
    """A secret written in pieces is caught, and everything else comes through."""
    text = f"before {TEXT} between {TEXT}{TEXT} after hunt"
    sink = io.StringIO()
    stream = RedactingStream(sink, Redactor([Secret(TEXT)]))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        stream.write(text[start:end])
    stream.flush()
    assert sink.getvalue() == "before *** between ****** after hunt"


def test_log_records_are_redacted():
    """Message, arguments and traceback of a log record carry no secret."""
    sink = io.StringIO()
    handler = logging.StreamHandler(sink)
    handler.addFilter(RedactingFilter(Redactor([Secret(TEXT)])))
    logger = logging.getLogger("test.redact")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        int(TEXT)
    except ValueError:
        logger.exception("with %s and %d", TEXT, 5)
    unfitting = "does not fit %d %s"
    logger.error(unfitting, TEXT)
    logger.removeHandler(handler)
    assert "with *** and 5" in sink.getvalue()
    assert "ValueError: invalid literal for int() with base 10: '***'" in sink.getvalue()
    assert "hunter2" not in sink.getvalue()


def test_harmless_records_keep_their_arguments():
    """Formatters of access logs find the arguments that they read."""
    record = logging.LogRecord("x", logging.INFO, "", 1, "%s %s", ("a", "b"), None)
    RedactingFilter(Redactor([Secret(TEXT)])).filter(record)
    assert record.args == ("a", "b")


def test_secrets_of_a_stack(tmp_path):
    """Every variable that a stack names is known, alone and in the text around it."""
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\nledger = "postgresql://u:${PW}@db/l"\n'
        "[stack.dev.train-x]\nlist = ['${A}-${B}']\n"
    )
    environ = {"PW": "password-1", "A": "first-one", "B": "second-one"}
    redact = Redactor(collect_secrets(load_stack(tmp_path, environ=environ)))
    for text in (*environ.values(), "postgresql://u:password-1@db/l", "first-one-second-one"):
        assert redact(text) == "***"
    assert "password" not in repr(redact)


def test_secrets_that_a_store_takes_by_itself(tmp_path):
    """Of S3: its keys' secrets and its host with the port, which no other address shares."""
    (tmp_path / "interlock.toml").write_text(
        '[project]\nname = "p"\n[stack.dev]\nartifacts = "s3://b/p"\n[stack.plain]\n'
    )
    environ = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9000",
        "AWS_SECRET_ACCESS_KEY": "key/of+ours",
        "AWS_SESSION_TOKEN": "token-of-ours",
    }
    text = "http://127.0.0.1:9000/b key/of+ours token-of-ours http://127.0.0.1:8080"
    redact = Redactor(collect_secrets(load_stack(tmp_path, environ=environ)))
    assert redact(text) == "http://***/b *** *** http://127.0.0.1:8080"
    plain = load_stack(tmp_path, name="plain", environ=environ)
    assert Redactor(collect_secrets(plain))(text) == text


def test_settings_on_record(tmp_path, monkeypatch):
    """What settings of a plugin that the stack names no more take from the environment, too."""
    (tmp_path / "interlock.toml").write_text('[project]\nname = "p"\n[stack.dev]\n')
    monkeypatch.setenv("OLD", "old-mark-51aa")
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", out)
    session = Session(load_stack(tmp_path))
    session.redact = redact_output(session.stack)
    assert sys.stdout is out
    settings = '{"url":"sqlite:////${OLD}/${OLDER:-x}.db"}'
    session.funnel.member(Maker(plugin="registry-sql", version="0.1.0", settings=settings))
    print("no such file: /old-mark-51aa/x.db")
    sys.stdout.flush()
    assert out.getvalue() == "no such file: ***\n"
    assert session.redact("old-mark-51aa") == "***"
