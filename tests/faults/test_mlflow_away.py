"""An MLflow server that dies in the middle of a run, and one that tracks what it can."""

import json

import pytest
from mlflow_server import free_port, start_mlflow

pytestmark = pytest.mark.real_backend

STACK = """
[stack.dev.registry-mlflow]
uri = "{url}"
timeout = 5.0

[stack.dev.track-mlflow]
uri = "{url}"
timeout = 5.0
"""
# Ends the server when the model is fitted, before the registry is asked.
DYING = """
import os
import signal

from interlock_hookspecs import hookimpl


@hookimpl
def on_event(event):
    if event.kind == "version.intended" and os.path.exists("server.pid"):
        os.killpg(int(open("server.pid").read()), signal.SIGKILL)
        os.remove("server.pid")
"""


def test_a_server_that_dies_in_a_run_is_an_error_that_resume_mends(small, tmp_path):
    """The run says what is away and what to do; the ledger holds; resumed it ends, tracked."""
    port = free_port()
    server = start_mlflow(tmp_path / "mlflow", port)
    try:
        small.edit('registry = "sql"', 'registry = "mlflow"\ntrack = ["mlflow"]')
        with (small.folder / "interlock.toml").open("a") as file:
            file.write(STACK.format(url=server.url))
        (small.folder / "project.py").write_text(DYING)
        (small.folder / "server.pid").write_text(str(server.pid))
        said = small("run", expect=1)
        assert "nothing listens there" in said.err
        assert "start the MLflow server" in said.err
        small("audit", "verify")
        server = start_mlflow(tmp_path / "mlflow", port)
        small("run", "--resume", small.run["id"])
        small("audit", "verify")
        versions = small.listed("models", "--from-registry")
        assert [(row["number"], row["aliases"]) for row in versions] == [("1", ["champion"])]
        spool = small.folder / ".interlock" / "mlflow-spool.jsonl"
        waiting = [json.loads(line) for line in spool.read_text().splitlines()]
        assert waiting == []
    finally:
        server.stop()
