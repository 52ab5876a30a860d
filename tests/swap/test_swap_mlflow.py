"""To a real MLflow server and back, with a death in the middle: all is there, by its digest."""

import os
import shutil
import uuid
from pathlib import Path

import pytest
from swap_project import events, holds, seed

from interlock.ledger import verify
from interlock.lifecycle.swap.world import held_versions
from interlock_hookspecs import path_digest

pytestmark = pytest.mark.real_backend

VERSIONS = int(os.environ.get("INTERLOCK_SWAP_VERSIONS", "200"))
KILLED = -9
DIES_AFTER = Path(__file__).parents[1] / "faults/dies_after.py"
STACKS = """
[stack.server]
extends = "dev"
registry = "mlflow"
artifacts = ".interlock/server"

[stack.server.registry-mlflow]
uri = "{url}"
prefix = "{prefix}-"
timeout = 25.0

[stack.back]
extends = "dev"
artifacts = ".interlock/back"

[stack.back.registry-sql]
url = "sqlite:///.interlock/back.db"
"""


def test_a_swap_to_mlflow_and_back_keeps_everything(small, opened, mlflow_server):
    """Each version with its id, digest, facts and aliases; each artifact with its bytes."""
    shutil.copy(DIES_AFTER, small.folder / "project.py")
    with (small.folder / "interlock.toml").open("a", encoding="utf-8") as file:
        file.write(STACKS.format(url=mlflow_server.url, prefix=uuid.uuid4().hex))
    old = opened(small, "dev")
    seed(old, VERSIONS)
    held = holds(old)
    assert len(held) == VERSIONS
    where = f"version.copied {VERSIONS // 2}"
    small("stack", "apply", "--to", "server", expect=KILLED, KILL_AFTER=where)
    small("stack", "apply", "--to", "server")
    server = opened(small, "server")
    assert holds(server) == held
    # What comes back is what MLflow keeps, and no copy of ours.
    for name in ("server", "artifacts"):
        shutil.rmtree(small.folder / ".interlock" / name)
    small("stack", "apply", "--stack", "server", "--to", "back")
    back = opened(small, "back")
    assert holds(back) == held == holds(old)
    for version in held_versions(back):
        assert path_digest(back.store.locate(version.model.artifact)) == version.model.digest
    assert len(events(old, "version.copied")) == 2 * VERSIONS
    assert verify(old.ledger).ok
