"""An MLflow server that dies in the middle of a run, and one that tracks what it can."""

import json
import shutil
from pathlib import Path

import pytest
from mlflow_server import start_mlflow
from ports import free_port

pytestmark = pytest.mark.real_backend

STACK = """
[stack.dev.registry-mlflow]
uri = "{url}"
timeout = 25.0

[stack.dev.track-mlflow]
uri = "{url}"
timeout = 25.0
"""
DIES_AFTER = Path(__file__).with_name("dies_after.py")


def test_a_server_that_dies_in_a_run_is_an_error_that_resume_mends(small, tmp_path):
    """The run says what is away and what to do; the ledger holds; resumed it ends, tracked."""
    port = free_port()
    server = start_mlflow(tmp_path / "mlflow", port)
    try:
        small.edit('registry = "sql"', 'registry = "mlflow"\ntrack = ["mlflow"]')
        with (small.folder / "interlock.toml").open("a") as file:
            file.write(STACK.format(url=server.url))
        shutil.copy(DIES_AFTER, small.folder / "project.py")
        # When the model is fitted, before the registry is asked.
        said = small("run", expect=1, KILL_AFTER="version.intended 1", ENDS=str(-server.pid))
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
