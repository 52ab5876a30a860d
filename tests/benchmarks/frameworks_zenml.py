"""plain_run.py as a pipeline of one step in ZenML's local stack: ``frameworks_zenml.py MODEL``."""

from __future__ import annotations

import json
import sys

from plain_run import measured
from zenml import pipeline, step


@step(enable_cache=False)
def work(model: str) -> dict[str, float]:
    """Do it all, and print what was measured."""
    _, found = measured(model)
    print(json.dumps(found))
    return found


@pipeline(enable_cache=False)
def employment(model: str) -> None:
    """One step."""
    work(model)


if __name__ == "__main__":
    employment(sys.argv[1])
