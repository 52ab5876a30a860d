"""plain_run.py as Kedro's ``pipeline_registry.py``: one pipeline of one node."""

from __future__ import annotations

import json

from kedro.pipeline import Pipeline, node
from plain_run import measured


def work(model: str) -> dict[str, float]:
    """Do it all, and print what was measured."""
    _, found = measured(model)
    print(json.dumps(found))
    return found


def register_pipelines() -> dict[str, Pipeline]:
    """The pipelines of the project; what the node gives stays in memory."""
    return {"__default__": Pipeline([node(work, "params:model", "found")])}
