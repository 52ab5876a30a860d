"""What the deploy suite needs to be told for a cluster: models that its servers load.

``interlock plugins check deploy-seldon`` with ``--set target=core-v2`` and the settings of a
cluster holds the plugin to the suite there. It makes endpoints of the project ``labour``, and
leaves some of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock_hookspecs import Model
from interlock_hookspecs.conformance.deploy import DeploySuite
from interlock_hookspecs.conformance.released import SIGNATURE

if TYPE_CHECKING:
    from interlock_hookspecs import Workspace


def onnx_model(word: str, ws: Workspace) -> Model:
    """A model in ONNX with an input for each feature; another word gives other bytes."""
    import onnx
    from onnx import TensorProto, helper

    column: list[str | int | None] = ["n", 1]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.DOUBLE, column),
        helper.make_tensor_value_info("word", TensorProto.STRING, column),
    ]
    score = helper.make_tensor_value_info("score", TensorProto.DOUBLE, column)
    node = helper.make_node("Sigmoid", ["x"], ["score"])
    graph = helper.make_graph([node], word, inputs, [score])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    path = ws.scratch() / "model.onnx"
    onnx.save(made, path)
    return Model(format="onnx", artifact=ws.keep(path), signature=SIGNATURE)


class SeldonSuite(DeploySuite):
    """The deploy suite; for the target ``core-v2`` with models that Triton loads."""

    def model(self, word: str, ws: Workspace) -> Model:
        """A model in ONNX."""
        return onnx_model(word, ws)
