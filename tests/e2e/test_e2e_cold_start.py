"""A server is ready soon: it imports what it serves with, and nothing that it may need later."""

import itertools
import re

import pytest

from interlock.serving.process import folder

pytestmark = pytest.mark.real_backend

LATER = {
    "alembic",  # a ledger of an older schema
    "cattrs",  # records by the thousand
    "difflib",  # a misspelled name
    "onnx",  # a model that is converted
    "pyarrow.parquet",  # the first capture
    "sklearn",
    "skops",
    "sqlalchemy",  # the first event that it writes, and a ledger in PostgreSQL
}
AFTER = {
    "email.message",  # what comes with importlib.metadata
    "importlib.metadata",  # what a distribution needs
    "interlock.plugins.pins",  # a stack that is locked
    "interlock.serving.standby",  # a release that may be gone back to
    "interlock.stack.show",  # a person who looks at the stack
    "interlock_hookspecs.candidates",  # records of the stages before
    "interlock_hookspecs.checks",
    "interlock_hookspecs.datasets",
    "interlock_hookspecs.dossiers",
    "interlock_hookspecs.happened",  # an event that it writes
    "interlock_hookspecs.versions",
    "interlock_hookspecs.windows",
    "interlock_serving.layers.access",  # callers with keys
    "interlock_serving.layers.observe",  # metrics, traces, a log of requests
}
"""What a server that is ready may still import by itself, as it does Arrow."""
IMPORTED = re.compile(r"import time: +\d+ \| +\d+ \| +(\S+)")
HEARD = """
import os
from interlock_hookspecs import hookimpl

@hookimpl
def on_event(event):
    with open("heard", "a") as file:
        file.write(f"{os.getpid()} {event.kind}\\n")
"""


def test_a_server_of_an_onnx_model_imports_no_more_than_it_serves_with(
    project, ask, rows, monkeypatch
):
    """From a ledger in a file. Where it records something, it imports the rest then."""
    made = project()
    made.edit('deploy = "local"', 'deploy = "local"\npackage = "onnx"')
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    made("run", "--until", "deploy")
    (log,) = folder(made.session()).glob("*.log")
    found = IMPORTED.findall(log.read_text(encoding="utf-8"))
    assert {"onnxruntime", "uvicorn", "interlock.serving.host"} <= {*found}
    assert sorted({*found} & LATER) == []
    ready = itertools.takewhile(lambda name: not name.startswith("pyarrow"), found)
    assert sorted({*ready} & AFTER) == []
    assert ask(made.endpoint, rows.drop_columns(["y"]).slice(0, 5))[0] == 200


def test_what_a_server_records_is_heard_by_the_plugins_of_its_stack(project, until):
    """They are not loaded to serve, only to be told."""
    made = project(module=HEARD)
    made("run", "--until", "deploy")
    (deployed,) = made.session().ledger.reads.deployments()
    made("revoke", made.endpoint["release"], "--reason", "leak", actor="ben")
    told = f"{deployed['body']['facts']['pid']} gate.refused"
    until(lambda: told in (made.folder / "heard").read_text(encoding="utf-8"))
