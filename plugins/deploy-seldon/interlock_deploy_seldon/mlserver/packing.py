"""What an MLServer is given of a model: the files of its folder, and how its answer is read.

By the model's format: an ONNX file or a folder of MLflow is copied, as core has verified it; of any
other format the estimator is taken which its opener read from verified bytes, and written by
joblib: MLServer unpickles what was written here.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import InvalidInput, OpenTarget, Signature, Unsupported, is_number

if TYPE_CHECKING:
    from interlock_hookspecs import Model, Workspace

_RUNTIMES = Path(__file__).with_name("runtimes")
_LIBRARIES = ("scikit-learn", "numpy")
_ONNX = {"onnx": "", "edge": "model.onnx"}
"""The formats of ONNX, and where in their artifact the file is."""


@attrs.frozen(kw_only=True)
class Pack:
    """A model as an MLServer serves it.

    Attributes:
        settings: its ``model-settings.json`` without the name.
        output: which output is asked for; empty for the only one.
        places: for each output of the signature, its column in MLServer's answer.
        finite: whether a number that is infinite is refused before it is asked.
        named: whether it is asked by named columns, and not by a matrix.
    """

    settings: dict[str, Any]
    output: str
    places: tuple[int, ...]
    finite: bool
    named: bool = False


def pack(target: OpenTarget, folder: Path, ws: Workspace) -> Pack:
    """Write a model's files into an empty folder, all but its settings.

    Args:
        target: the opened model and its release.
        folder: of this account's own: what is in it runs.
        ws: locates the verified file.

    Raises:
        Unsupported: a model of this format cannot be served by an MLServer; the message says what
            to do.
        InvalidInput: the model's record contradicts itself.
    """
    model = target.target.model
    if model.format in _ONNX:
        return _onnx(model, folder, ws)
    if model.format == "mlflow":
        return _mlflow(model, folder, ws)
    fitted = getattr(target.predictor, "fitted", None)
    if fitted is None:
        raise Unsupported(
            "MLServer is given scikit-learn estimators, ONNX files and MLflow folders, and a model "
            f'of the format {model.format!r} is none here: serve it with deploy = "local"'
        )
    return _sklearn(fitted, target.predictor.signature, folder)


def write_settings(folder: Path, name: str, made: Pack) -> None:
    """Write a model's settings: with them it is there for MLServer."""
    text = json.dumps({"name": name, **made.settings}, indent=2)
    (folder / "model-settings.json").write_text(text + "\n", encoding="utf-8")


def _onnx(model: Model, folder: Path, ws: Workspace) -> Pack:
    inside = _ONNX[model.format]
    located = ws.locate(model.artifact)
    shutil.copyfile(located / inside if inside else located, folder / "model.onnx")
    signature = model.signature
    return Pack(
        settings=_settings("onnx", "OnnxRuntime", "model.onnx", signature, {}, folder),
        output="",
        places=_recorded(model),
        finite=True,
    )


def _mlflow(model: Model, folder: Path, ws: Workspace) -> Pack:
    shutil.copytree(ws.locate(model.artifact), folder / "model")
    return Pack(
        settings={
            "implementation": "mlserver_mlflow.MLflowRuntime",
            "platform": "mlflow",
            "parameters": {"uri": "./model"},
        },
        output="",
        places=tuple(range(len(model.signature.outputs))),
        finite=True,
        named=True,
    )


def _sklearn(fitted: Any, signature: Signature, folder: Path) -> Pack:
    import joblib

    kind = f"{type(fitted).__module__}.{type(fitted).__qualname__}"
    regression = signature.kind == "regression"
    method = "predict" if regression else "predict_proba"
    if not hasattr(fitted, method):
        raise Unsupported(f"{kind} has no {method}, which MLServer's scikit-learn runtime asks")
    try:
        joblib.dump(fitted, folder / "model.joblib")
    except Exception as error:
        # Whatever an object's own way of being pickled raises.
        raise Unsupported(f"{kind} cannot be pickled for MLServer: {error}") from error
    return Pack(
        settings=_settings(
            "sklearn", "SklearnRuntime", "model.joblib", signature, _versions(), folder
        ),
        output=method,
        places=(0,) if regression else _class_order(signature, fitted.classes_.tolist()),
        finite=False,
    )


def _settings(
    word: str,
    runtime: str,
    file: str,
    signature: Signature,
    versions: dict[str, str],
    folder: Path,
) -> dict[str, Any]:
    """What MLServer is told, and the runtime, which lies beside the model."""
    module = f"interlock_{word}"
    shutil.copyfile(_RUNTIMES / f"{module}.py", folder / f"{module}.py")
    kinds = ["number" if is_number(field.type) else "text" for field in signature.inputs]
    plain = {"name": "numbers", "datatype": "FP64", "shape": [-1, len(kinds)]}
    return {
        "implementation": f"{module}.{runtime}",
        "platform": word,
        "versions": [f"{name}/{number}" for name, number in versions.items()],
        "inputs": [] if "text" in kinds else [plain],
        "parameters": {"uri": f"./{file}", "extra": {"columns": kinds, "versions": versions}},
    }


def _versions() -> dict[str, str]:
    """What a pickle depends on: with another version it may load and answer otherwise."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError as error:
            raise Unsupported(f"{name} is not installed, and the model is made of it") from error
    return found


def _class_order(signature: Signature, classes: list[Any]) -> tuple[int, ...]:
    wanted = (signature.positive,) if signature.kind == "binary" else signature.classes
    try:
        return tuple(classes.index(label) for label in wanted)
    except ValueError as error:
        raise InvalidInput("the model's classes are not the ones of its signature") from error


def _recorded(model: Model) -> tuple[int, ...]:
    """Which of a file's outputs is which, as its opener reads the model's record."""
    signature = model.signature
    if signature.kind == "regression":
        return (0,)
    if "columns" not in model.facts:
        return _class_order(signature, list(signature.classes))
    try:
        places = tuple(int(place) for place in str(model.facts["columns"]).split(","))
    except ValueError:
        places = ()
    if len(places) != len(signature.outputs):
        raise InvalidInput("the model's record does not say which of its outputs is which")
    return places
