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

    def batch(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """The requests that wait; those of one row and of many have no common shape."""
        return inputs

    def predict(self, x: list[np.ndarray], **_: Any) -> list[np.ndarray]:
        """The score of each row, for each request."""
        scores = self._model.predict_proba(np.concatenate(x))[:, 1]
        return np.split(scores, np.cumsum([len(rows) for rows in x])[:-1])

    def unbatch(self, output: list[np.ndarray]) -> list[np.ndarray]:
        """What `predict` gave, a request each."""
        return output

    def encode_response(self, output: np.ndarray, **_: Any) -> dict[str, Any]:
        """The scores, and whether each is positive."""
        return {"score": output.tolist(), "prediction": (output >= THRESHOLD).astype(int).tolist()}


if __name__ == "__main__":
    # What waits is taken together, and nothing is waited for: as ours does it.
    api = Bench(max_batch_size=64, batch_timeout=0.0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=False)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )
