"""The model behind LitServe: ``python serving_litserve.py PORT``, beside the model."""

import sys
from typing import Any

import joblib
import litserve
import numpy as np
from starlette.requests import Request

THRESHOLD = 0.5


class Bench(litserve.LitAPI):
    """A fitted classifier."""

    def setup(self, device: str) -> None:  # noqa: ARG002  (LitServe gives it)
        """Read the model in the worker."""
        self._model = joblib.load("model.joblib")

    def decode_request(self, request: Request, **_: Any) -> np.ndarray:
        """A request's rows, [n, features]; it is the parsed body, whatever its annotation says."""
        return np.array(request["rows"])

    def predict(self, x: np.ndarray, **_: Any) -> np.ndarray:
        """The score of each row."""
        scores: np.ndarray = self._model.predict_proba(x)[:, 1]
        return scores

    def encode_response(self, output: np.ndarray, **_: Any) -> dict[str, Any]:
        """The scores, and whether each is positive."""
        return {"score": output.tolist(), "prediction": (output >= THRESHOLD).astype(int).tolist()}


if __name__ == "__main__":
    # Without batches, as its defaults are: with them it waits for others, or, told to wait for no
    # time, asks its queue again and again.
    server = litserve.LitServer(Bench(), accelerator="cpu", workers_per_device=1, timeout=False)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )
