"""The peers of bench_serving.py that need no file of their own, run by their environment's Python.

``serving_peers.py prepare WORD FOLDER PORT`` fits the model and writes what a peer serves;
``serving_peers.py fastapi FOLDER PORT`` is an endpoint as a user writes one by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from serving_requests import NAME, features
from serving_servers import fitted

THRESHOLD = 0.5


def prepare(word: str, folder: Path, port: int) -> None:
    """Write the fitted model, and what a peer wants beside it."""
    import joblib

    model = fitted("logistic")
    joblib.dump(model, folder / "model.joblib")
    if word == "mlflow":
        import mlflow.sklearn

        mlflow.sklearn.save_model(model, str(folder / "mlflow"), pip_requirements=["scikit-learn"])
    elif word == "mlserver":
        _describe_to_mlserver(folder, port)


def _describe_to_mlserver(folder: Path, port: int) -> None:
    place = folder / "mlserver"
    place.mkdir()
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 1,
        "metrics_port": port + 2,
        "parallel_workers": 0,
        "debug": False,
    }
    (place / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    described = {
        "name": NAME,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(folder / "model.joblib")},
    }
    (place / "model-settings.json").write_text(json.dumps(described), encoding="utf-8")


def serve_fastapi(folder: Path, port: int) -> None:
    """A model behind FastAPI: a body that pydantic checks, a call of scikit-learn, an answer."""
    import joblib
    import numpy as np
    import pydantic
    import uvicorn
    from fastapi import FastAPI

    model = joblib.load(folder / "model.joblib")
    app = FastAPI()

    class Rows(pydantic.BaseModel):
        columns: list[str]
        data: list[list[float]]

    def infer(rows: Rows) -> dict[str, Any]:
        if rows.columns != list(features()):
            raise ValueError("other columns")
        scores = model.predict_proba(np.array(rows.data))[:, 1]
        return {"score": scores.tolist(), "prediction": (scores >= THRESHOLD).astype(int).tolist()}

    infer.__annotations__["rows"] = Rows
    app.post("/invocations")(infer)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def main() -> None:
    """Do what the arguments say."""
    match sys.argv[1:]:
        case ["prepare", word, folder, port]:
            prepare(word, Path(folder), int(port))
        case ["fastapi", folder, port]:
            serve_fastapi(Path(folder), int(port))


if __name__ == "__main__":
    main()
