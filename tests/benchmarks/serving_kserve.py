"""The model behind KServe's Python server: ``python serving_kserve.py PORT``, beside the model."""

import sys
import uuid
from typing import Any

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from serving_requests import NAME

THRESHOLD = 0.5


class Bench(Model):
    """A fitted classifier over the Open Inference Protocol."""

    def load(self) -> bool:
        """Read the model."""
        self._model = joblib.load("model.joblib")
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest, *_: Any, **__: Any) -> InferResponse:
        """The score of each row, and whether it is positive."""
        scores = self._model.predict_proba(payload.inputs[0].as_numpy())[:, 1]
        outputs = []
        for name, kind, values in (
            ("prediction", "INT64", (scores >= THRESHOLD).astype(int)),
            ("score", "FP64", scores),
        ):
            output = InferOutput(name=name, shape=[len(values)], datatype=kind)
            output.set_data_from_numpy(values, binary_data=False)
            outputs.append(output)
        return InferResponse(payload.id or str(uuid.uuid4()), self.name, outputs)


if __name__ == "__main__":
    model = Bench(NAME)
    model.load()
    server = ModelServer(
        http_port=int(sys.argv[1]), workers=1, enable_grpc=False, enable_latency_logging=False
    )
    server.start([model])
