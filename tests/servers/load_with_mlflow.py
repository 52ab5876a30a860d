"""Load, predict and list lineage with MLflow's own API and nothing else; used by a test.

python load_with_mlflow.py TRACKING_URI PREFIX ROWS.parquet
"""

import importlib.util
import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

KINDS = ("binary", "multiclass", "regression")


def main(uri: str, prefix: str, path: str) -> None:
    """Print what was found as JSON."""
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    rows = pd.read_parquet(path)
    models = {}
    for name in KINDS:
        address = f"models:/{prefix}{name}@champion"
        loaded = mlflow.pyfunc.load_model(address)
        version = client.get_model_version_by_alias(f"{prefix}{name}", "champion")
        run = client.get_run(version.run_id)
        (dataset,) = run.inputs.dataset_inputs
        needed = Path(mlflow.pyfunc.get_model_dependencies(address)).read_text().splitlines()
        models[name] = {
            "scores": loaded.predict(rows).to_dict(orient="list"),
            "run": version.tags["interlock.run"],
            "data": json.loads(dataset.dataset.source)["digest"],
            "requirements": needed,
        }
    fitted = mlflow.sklearn.load_model(f"models:/{prefix}binary@champion")
    columns = [rows[name].astype(float) for name in ("x", "count", "whole", "flag")]
    models["binary"]["sklearn"] = fitted.predict_proba(np.column_stack(columns))[:, 1].tolist()
    interlock = any(importlib.util.find_spec(name) for name in ("interlock", "interlock_hookspecs"))
    print(json.dumps({"interlock": interlock, "models": models}))


if __name__ == "__main__":
    main(*sys.argv[1:])
