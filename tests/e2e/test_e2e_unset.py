"""Variables that the environment lacks: asked for by what needs them, and by nothing else."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

KEY = "unset-mark-71c4-9e02-55aa"
SETTINGS = """
[stack.dev.deploy-local]
api_keys = { reports = "${SERVE_KEY}" }

[stack.dev.registry-sql]
url = "${REGISTRY_URL:-sqlite:///.interlock/registry.db}"
"""
LACKS = "api_keys: needs the environment variable SERVE_KEY, which is not set"


@pytest.fixture
def deployed(project, monkeypatch):
    """A project whose server wants a key, as somebody finds it who has none."""
    made = project(govern='["policy", "card"]')
    with (made.folder / "interlock.toml").open("a") as file:
        file.write(SETTINGS)
    monkeypatch.setenv("SERVE_KEY", KEY)
    made("run")
    monkeypatch.delenv("SERVE_KEY")
    return made


def test_what_reads_needs_no_secret_of_a_server(deployed):
    """Listings, the ledger, the registry and the delivery of labels go on without it."""
    run = deployed.run["id"]
    for words in (
        ["runs"],
        ["models"],
        ["models", "--from-registry"],
        ["models", "reconcile"],
        ["show", run],
        ["audit", "verify", "--artifacts"],
        ["review", "--explain"],
        ["audit", "head"],
        ["audit", "log"],
        ["labels", "add", "rows.parquet"],
        ["labels", "list"],
        ["plugins", "hooks"],
        ["rollout", "status"],
        ["deployments", "--history"],
        ["stack", "show", "--origin"],
        ["stack", "diff", "dev", "prod"],
        ["stack", "plan", "--to", "prod"],
    ):
        said = deployed(*words)
        assert KEY not in said.out + said.err
    deployed("approve", run, "--reason", "read", actor="ben")


def test_what_a_plugin_is_asked_for_is_told(deployed):
    """An endpoint whose server cannot be asked is listed, with the variable; nothing else stops."""
    (row,) = deployed.listed("deployments")
    assert row["now"] == "unknown"
    assert row["detail"].endswith(LACKS)
    status = deployed.listed("status")
    assert not status["answers"]
    assert status["detail"].endswith(LACKS)
    assert status["release"] is not None


def test_what_works_refuses_before_it_begins(deployed):
    """All that a stack lacks at once, and no run and no deployment is left behind."""
    deployed.edit('artifacts = ".interlock/artifacts"', 'artifacts = "${ARTIFACTS}"')
    before = deployed.listed("audit", "log")
    for words in (
        ["run"],
        ["deploy"],
        ["monitor"],
        ["rollback"],
        ["undeploy"],
        ["deployments", "--restart"],
        ["stack", "check"],
    ):
        said = deployed(*words, expect=2)
        assert LACKS in said.err, words
        assert "artifacts: needs the environment variable ARTIFACTS" in said.err
    assert deployed.listed("audit", "log") == before


def test_a_ledger_that_is_not_named_stops_who_reads_it(lived, monkeypatch):
    """One line with the key and the variable; what reads no ledger goes on."""
    lived.edit('"sqlite:///.interlock/ledger.db"', '"sqlite:///${LEDGER_HOME}/ledger.db"')
    said = lived("runs", expect=2)
    assert "ledger: needs the environment variable LEDGER_HOME, which is not set" in said.err
    assert "${LEDGER_HOME} (not set)" in lived("stack", "show", "--origin").out
    monkeypatch.setenv("LEDGER_HOME", str(lived.folder / ".interlock"))
    assert len(lived.listed("runs")) == 2


@pytest.mark.real_backend
def test_a_server_needs_its_own_secrets_alone(deployed, until, monkeypatch):
    """Where it serves from a terminal, a container's, no key of a registry need be."""
    deployed.end()
    deployed.edit("${REGISTRY_URL:-sqlite:///.interlock/registry.db}", "${REGISTRY_URL}")
    assert LACKS in deployed("serve", expect=2).err
    monkeypatch.setenv("SERVE_KEY", KEY)
    script = Path(sys.executable).with_name("interlock")
    server = subprocess.Popen([script, "serve"], cwd=deployed.folder, stderr=subprocess.PIPE)
    try:
        until(lambda: deployed.endpoint["now"] == "answers")
        server.send_signal(signal.SIGINT)
        _, printed = server.communicate(timeout=120)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 0, printed
    assert b"REGISTRY_URL" not in printed
    assert KEY.encode() not in printed
