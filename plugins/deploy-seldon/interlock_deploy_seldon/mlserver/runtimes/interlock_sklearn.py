"""MLServer's runtime of scikit-learn for a model that Interlock wrote, beside which this file lies.

It takes what `interlock-deploy-seldon` sends: the numbers of all rows as one tensor of doubles, bit
for bit, and the texts in a second one. Without a text among its columns it also takes the plain
tensor ``[n, k]`` of ``FP64`` that any client of MLServer sends. It imports nothing of Interlock's.
"""

import base64
import importlib.metadata
from typing import Any

import numpy as np
from mlserver.errors import MLServerError
from mlserver_sklearn import SKLearnModel

_CONFLICT = 409


class SklearnRuntime(SKLearnModel):  # type: ignore[misc]  # MLServer is not there where this is checked
    """A scikit-learn model, given the matrix that it was fitted to."""

    async def load(self) -> bool:
        """Load the model, where the libraries are those that wrote it."""
        for name, written in self._extra["versions"].items():
            try:
                here = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                here = "none"
            if here != written:
                msg = f"the model was written by {name} {written}, and MLServer has {here}"
                raise MLServerError(msg, _CONFLICT)
        try:
            return bool(await super().load())
        except (ImportError, AttributeError) as error:
            msg = f"what the model is made of is not in MLServer's environment: {error}"
            raise MLServerError(msg, _CONFLICT) from error

    def decode_request(self, inference_request: Any, default_codec: Any = None) -> Any:
        """The matrix: of doubles, or of objects where there are texts."""
        inputs = {each.name: each for each in inference_request.inputs}
        numbers = inputs.get("numbers")
        if numbers is None or numbers.datatype != "BYTES":
            return super().decode_request(inference_request, default_codec)
        rows, width = numbers.parameters.matrix
        (raw,) = numbers.data.root
        # A copy, for what is read from bytes cannot be written to.
        floats = np.frombuffer(bytearray(base64.b64decode(raw))).reshape(rows, width)
        kinds = self._extra["columns"]
        if "text" not in kinds:
            return floats
        texts = np.array(inputs["texts"].data.root, object).reshape(rows, -1)
        matrix = np.empty((rows, len(kinds)), object)
        matrix[:, [place for place, kind in enumerate(kinds) if kind == "number"]] = floats
        matrix[:, [place for place, kind in enumerate(kinds) if kind == "text"]] = texts
        return matrix

    @property
    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = self.settings.parameters.extra
        return extra
