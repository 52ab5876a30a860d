"""Models in the ONNX format: converted from scikit-learn, run by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    InvalidInput,
    Model,
    Predictor,
    Signature,
    Unsupported,
    Workspace,
    hookimpl,
    plugin,
    setting,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["OnnxBundle", "OnnxModel"]

_RUNTIME = ("numpy", "onnx", "onnxruntime")


@plugin(contract="1.0", kinds=("binary", "multiclass", "regression"))
class OnnxModel:
    """Converts models to the format ``onnx`` and opens them."""

    max_bytes: int = setting(
        1 << 30, doc="how many bytes a file may have", validator=attrs.validators.gt(0)
    )

    @hookimpl
    def write_model(self, format: str, fitted: Any, signature: Signature, ws: Workspace) -> Model:  # noqa: A002  (the contract's word)
        from importlib.metadata import version

        from interlock_model_onnx.conversion import convert

        path = ws.scratch() / "model.onnx"
        path.write_bytes(convert(fitted, signature))
        classes = _columns(fitted, signature)
        kind = type(fitted)
        return Model(
            format=format,
            artifact=ws.keep(path),
            signature=signature,
            requirements=tuple(f"{name}=={version(name)}" for name in _RUNTIME),
            facts={
                "estimator": f"{kind.__module__}.{kind.__qualname__}",
                "columns": ",".join(map(str, classes)),
                "skl2onnx": version("skl2onnx"),
            },
        )

    @hookimpl
    def open_model(self, model: Model, ws: Workspace) -> Predictor:
        # Its digest is checked where it is located, before anything is read.
        return _opened(ws.locate(model.artifact), model, self.max_bytes)

    @hookimpl
    def package_model(self, format: str, model: Model, ws: Workspace) -> Model:  # noqa: A002  (the contract's word)
        fitted = getattr(ws.open_model(model), "fitted", None)
        if fitted is None:
            raise Unsupported(f"a model of the format {model.format!r} gives nothing to convert")
        return self.write_model(format, fitted, model.signature, ws)


@plugin(contract="1.0", kinds=("binary", "multiclass", "regression"))
class OnnxBundle:
    """Packages models to the format ``edge``: a folder that predicts without Interlock."""

    max_bytes: int = setting(
        1 << 30, doc="how many bytes its model may have", validator=attrs.validators.gt(0)
    )

    @hookimpl
    def write_model(self, format: str, fitted: Any, signature: Signature, ws: Workspace) -> Model:  # noqa: A002  (the contract's word)
        whole = OnnxModel(max_bytes=self.max_bytes).write_model("onnx", fitted, signature, ws)
        return _bundled(format, whole, None, ws)

    @hookimpl
    def open_model(self, model: Model, ws: Workspace) -> Predictor:
        from interlock_model_onnx.edge import MODEL, check_runner

        folder = ws.locate(model.artifact)
        check_runner(folder)
        return _opened(folder / MODEL, model, self.max_bytes)

    @hookimpl
    def package_model(
        self,
        format: str,  # noqa: A002  (the contract's word)
        model: Model,
        rows: pa.Table | None,
        ws: Workspace,
    ) -> Model:
        whole = model if model.format == "onnx" else ws.package_model("onnx", model)
        return _bundled(format, whole, rows, ws)


def _bundled(word: str, whole: Model, rows: pa.Table | None, ws: Workspace) -> Model:
    from interlock_model_onnx.edge import write_bundle

    folder = ws.scratch() / "edge"
    folder.mkdir()
    raw = ws.locate(whole.artifact).read_bytes()
    write_bundle(folder, raw, whole.signature, _recorded(whole), rows)
    return attrs.evolve(whole, format=word, artifact=ws.keep(folder))


def _opened(path: Path, model: Model, max_bytes: int) -> Predictor:
    from interlock_model_onnx.gathering import gathered
    from interlock_model_onnx.opening import checked_session, read_checked
    from interlock_model_onnx.predictor import OnnxPredictor

    try:
        session = checked_session(gathered(read_checked(path, max_bytes)))
        return OnnxPredictor(model.signature, session, _recorded(model))
    except InvalidInput as error:
        raise InvalidInput(f"{model.artifact.name} is not opened: {error}") from error


def _columns(fitted: Any, signature: Signature) -> tuple[int, ...]:
    """For each output of the signature, its column in what the model gives."""
    if signature.kind == "regression":
        return (0,)
    classes = fitted.classes_.tolist()
    wanted = (signature.positive,) if signature.kind == "binary" else signature.classes
    return tuple(classes.index(label) for label in wanted)


def _recorded(model: Model) -> tuple[int, ...]:
    if "columns" not in model.facts:
        return _usual(model.signature)
    said = model.facts["columns"]
    try:
        columns = tuple(int(place) for place in str(said).split(","))
    except ValueError:
        columns = ()
    if len(columns) != len(model.signature.outputs):
        raise InvalidInput("its record does not say which of its outputs is which")
    return columns


def _usual(signature: Signature) -> tuple[int, ...]:
    """The columns of a file that was made elsewhere: a classifier's are its sorted classes'."""
    if signature.kind == "regression":
        return (0,)
    wanted = (signature.positive,) if signature.kind == "binary" else signature.classes
    return tuple(signature.classes.index(label) for label in wanted if label is not None)
