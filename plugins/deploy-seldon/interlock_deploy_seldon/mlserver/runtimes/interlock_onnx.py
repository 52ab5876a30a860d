"""An MLServer runtime for an ONNX model that Interlock packaged, beside which this file lies.

It needs onnxruntime and numpy beside MLServer, and imports nothing of Interlock's. It takes what
`interlock-deploy-seldon` sends: the numbers of all rows as one tensor of doubles, bit for bit, and
the texts in a second one. Without a text among its columns it also takes the plain tensor
``[n, k]`` of ``FP64`` that any client of MLServer sends. It answers with the model's last output.
"""

import asyncio
import base64
from typing import Any

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceResponse
from mlserver.utils import get_model_uri

_KINDS = {"tensor(double)": np.float64, "tensor(float)": np.float32}


class OnnxRuntime(MLModel):  # type: ignore[misc]  # MLServer is not there where this is checked
    """An ONNX model over the columns of its signature."""

    async def load(self) -> bool:
        """Open the model: one thread, for requests are what runs in parallel."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        uri = await get_model_uri(self._settings, wellknown_filenames=["model.onnx"])
        self._session = await asyncio.to_thread(
            onnxruntime.InferenceSession, uri, options, providers=["CPUExecutionProvider"]
        )
        self._output = [each.name for each in self._session.get_outputs()][-1]
        self._null = self._session.get_modelmeta().custom_metadata_map.get("interlock.null", "")
        return True

    async def predict(self, payload: Any) -> Any:
        """Score the rows of a request."""
        numbers, texts = _matrices(payload)
        given = self._given(numbers, texts)
        # The runtime lets go of Python's lock: meanwhile others are answered.
        (found,) = await asyncio.to_thread(self._session.run, [self._output], given)
        values = np.asarray(found, np.float64).reshape(len(numbers), -1)
        output = NumpyCodec.encode_output("scores", values)
        return InferenceResponse(model_name=self.name, outputs=[output])

    def _given(self, numbers: Any, texts: Any) -> dict[str, Any]:
        """The model's inputs: [n, 1] each, or all of them in one [n, k]."""
        inputs, kinds = self._session.get_inputs(), self.settings.parameters.extra["columns"]
        if len(inputs) == 1 < len(kinds):
            return {inputs[0].name: numbers.astype(_KINDS[inputs[0].type], copy=False)}
        floats, words = iter(numbers.T), iter(() if texts is None else texts.T)
        given = {}
        for each, kind in zip(inputs, kinds, strict=True):
            if kind == "text":
                column = [self._null if value is None else value for value in next(words)]
                given[each.name] = np.array(column, object).reshape(-1, 1)
            else:
                given[each.name] = next(floats).astype(_KINDS[each.type]).reshape(-1, 1)
        return given


def _matrices(payload: Any) -> tuple[Any, Any]:
    """The numbers [n, k] and, where there are some, the texts [n, m] of a request."""
    inputs = {each.name: each for each in payload.inputs}
    numbers = inputs.get("numbers", payload.inputs[0])
    if numbers.datatype != "BYTES":
        matrix = np.array(numbers.data.root, np.float64)
        if matrix.size != np.prod(numbers.shape):
            msg = "the data is not of the shape that the request says"
            raise InferenceError(msg)
        return matrix.reshape(numbers.shape), None
    rows, width = numbers.parameters.matrix
    (raw,) = numbers.data.root
    floats = np.frombuffer(base64.b64decode(raw)).reshape(rows, width)
    if "texts" not in inputs:
        return floats, None
    return floats, np.array(inputs["texts"].data.root, object).reshape(rows, -1)
