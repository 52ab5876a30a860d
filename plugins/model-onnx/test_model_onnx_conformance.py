"""model-onnx and model-edge keep every promise that the contract makes of a model format."""

from interlock_model_onnx.conformance import OnnxBundleSuite, OnnxModelSuite


class TestOnnxModel(OnnxModelSuite):
    pass


class TestOnnxBundle(OnnxBundleSuite):
    pass
