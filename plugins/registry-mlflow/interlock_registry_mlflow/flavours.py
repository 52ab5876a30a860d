"""The folder that MLflow calls a model: ours inside it, whole, and what any MLflow user loads.

    MLmodel  requirements.txt  conda.yaml  python_env.yaml
    code/interlock_pyfunc_v1.py       what `mlflow.pyfunc` loads a skops model with
    interlock/version.json            what that reads: names, classes, digest, allowed types
    interlock/artifact/...            our artifact, as it was

A format that MLflow cannot open without Interlock is kept in the same way, and has no flavour.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from interlock_hookspecs import Field, Model, Signature, Workspace, to_plain

INNER = "interlock/artifact"
"""Where our artifact is, below the folder."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_LOADER = "interlock_pyfunc_v1"
_DOUBLES = ("float", "double", "halffloat")
_LONGS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


def write_folder(folder: Path, model: Model, ws: Workspace, **about: str) -> None:
    """Write a model as MLflow keeps one.

    Args:
        folder: an empty one.
        model: what is registered.
        ws: locates its artifact and opens it.
        about: ``model_id`` and ``run_id`` of MLflow's.
    """
    place = artifact_path(folder, model)
    place.parent.mkdir(parents=True)
    source = ws.locate(model.artifact)
    (shutil.copytree if model.artifact.folder else shutil.copyfile)(source, place)
    flavours: dict[str, Any] = {}
    if model.format == "skops" and _opens(model, ws):
        flavours = _skops_flavours(folder, model, place)
        _write_environment(folder, model)
    _write_yaml(
        folder / "MLmodel",
        {
            **about,
            "artifact_path": f"models:/{about['model_id']}",
            "flavors": flavours,
            "metadata": {"interlock": {"format": model.format, "digest": model.digest}},
            "mlflow_version": version("mlflow-skinny"),
            "model_size_bytes": model.artifact.size,
            "model_uuid": about["model_id"],
            "signature": mlflow_signature(model.signature),
            "utc_time_created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
        },
    )


def _opens(model: Model, ws: Workspace) -> bool:
    """Whether the format's own opener takes the file, under its own list of types.

    What it refuses is kept, and not recorded as something that others may load.
    """
    try:
        ws.open_model(model)
    except Exception as refusal:  # noqa: BLE001  (core wraps what an opener raises)
        ws.log.warning("MLflow's users cannot load this model: %s", refusal)
        return False
    return True


def artifact_path(folder: Path, model: Model) -> Path:
    """Where our artifact is in a model folder of MLflow's."""
    name = model.artifact.name
    # A server takes no file of another name; what the artifact is called is in the record.
    return folder / INNER / (name if _PLAIN.fullmatch(name) else "artifact")


def mlflow_signature(signature: Signature) -> dict[str, Any]:
    """Inputs and outputs in MLflow's words.

    MLflow refuses whole numbers where it was told decimals and the other way round, and it knows
    no nullable whole number or Boolean: those columns are ``any``, and the loader reads them.
    """
    inputs = [_column(field) for field in signature.inputs]
    outputs = [
        {"type": "double", "name": field.name, "required": True} for field in signature.outputs
    ]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def _column(field: Field) -> dict[str, Any]:
    word = "any"
    if field.type in _DOUBLES:
        word = "double"
    elif field.type == "string":
        word = "string"
    elif not field.nullable:
        word = "long" if field.type in _LONGS else {"bool": "boolean"}.get(field.type, "any")
    return {"type": word, "name": field.name, "required": True}


def _skops_flavours(folder: Path, model: Model, place: Path) -> dict[str, Any]:
    import skops.io

    types = skops.io.get_untrusted_types(file=place)
    content = {
        "artifact": place.relative_to(folder / "interlock").as_posix(),
        "digest": model.digest,
        "signature": to_plain(model.signature),
        "types": types,
    }
    (folder / "interlock" / "version.json").write_text(json.dumps(content, indent=1) + "\n")
    (folder / "code").mkdir()
    shutil.copyfile(Path(__file__).with_name(f"{_LOADER}.py"), folder / "code" / f"{_LOADER}.py")
    return {
        "python_function": {
            "code": "code",
            "data": "interlock",
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": _LOADER,
            "python_version": platform.python_version(),
        },
        "sklearn": {
            "code": None,
            "pickled_model": place.relative_to(folder).as_posix(),
            "serialization_format": "skops",
            "skops_trusted_types": types,
            "sklearn_version": str(model.facts.get("scikit-learn", version("scikit-learn"))),
        },
    }


def requirements(model: Model) -> list[str]:
    """What must be installed to use the model from MLflow: its own, and MLflow with pandas."""
    return [f"mlflow=={version('mlflow-skinny')}", "pandas", *model.requirements]


def _write_environment(folder: Path, model: Model) -> None:
    needed = requirements(model)
    (folder / "requirements.txt").write_text("\n".join(needed) + "\n", encoding="utf-8")
    python = platform.python_version()
    _write_yaml(
        folder / "python_env.yaml",
        {
            "python": python,
            "build_dependencies": ["pip"],
            "dependencies": ["-r requirements.txt"],
        },
    )
    _write_yaml(
        folder / "conda.yaml",
        {
            "name": "mlflow-env",
            "channels": ["conda-forge"],
            "dependencies": [f"python={python}", "pip", {"pip": needed}],
        },
    )


def _write_yaml(path: Path, value: Any) -> None:
    import yaml

    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
