"""What a person writes to have plain_run.py on an MLflow server: the peer of bench_track.py.

Run it in the folder of the example: ``python tracked_run.py MODEL URI``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag
from plain_run import measured


def main() -> None:
    """Do what the plain script does, and tell MLflow: the data, parameters, metrics, tags."""
    model, uri = sys.argv[1:]
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("employment-by-hand")
    with mlflow.start_run() as run:
        mlflow.set_tags({"project": "employment", "stack": "dev"})
        data = Path("data/2015.parquet").read_bytes()
        dataset = Dataset(
            name="employment",
            digest=hashlib.sha256(data).hexdigest()[:36],
            source_type="local",
            source=json.dumps({"uri": "data/2015.parquet"}),
        )
        training = InputTag("mlflow.data.context", "training")
        mlflow.MlflowClient().log_inputs(
            run.info.run_id, datasets=[DatasetInput(dataset, tags=[training])]
        )
        parameters, metrics = measured(model)
        mlflow.log_params(parameters)
        mlflow.log_metrics(metrics)
        mlflow.set_tag("model", hashlib.sha256(Path(model).read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
