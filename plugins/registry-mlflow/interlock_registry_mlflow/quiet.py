"""MLflow's client without its telemetry."""

from __future__ import annotations

import importlib
import os

_SWITCH = "MLFLOW_DISABLE_TELEMETRY"


def import_client() -> None:
    """Import the client, which decides then whether it tells its makers how it is used.

    It does not, unless the environment says so. The environment is as it was afterwards: other
    code of this process, and what it starts, decides for itself.
    """
    said = os.environ.get(_SWITCH)
    if said is None:
        os.environ[_SWITCH] = "true"
    try:
        importlib.import_module("mlflow")
    finally:
        if said is None:
            os.environ.pop(_SWITCH, None)
