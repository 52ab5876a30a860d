"""A model that somebody registered in MLflow, without Interlock, as a candidate of a run.

What is safe to open comes in as the file that it is: a skops archive, an ONNX file. A pickle runs
whatever it holds when it is opened, so it is opened only where the stack names it, by a process of
its own, and comes in as the skops file that this process makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from interlock_hookspecs import (
    Candidate,
    InvalidInput,
    Model,
    NotFound,
    Scalar,
    Task,
    Unsupported,
    Workspace,
    file_digest,
    signature_for,
)
from interlock_registry_mlflow.failures import ABSENT, code_of, mlflow_error
from interlock_registry_mlflow.files import get_file
from interlock_registry_mlflow.flavours import artifact_path
from interlock_registry_mlflow.names import number_of
from interlock_registry_mlflow.record import is_ours, read_version

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock_registry_mlflow.backend import Backend

WORD = "mlflow:"
_DESCRIBED = 1 << 20  # bytes of an MLmodel file
_SAFE = "log it with mlflow.sklearn.log_model(..., serialization_format='skops'), or as ONNX"
_LINEAGE = ("run", "data", "code")


@attrs.frozen(kw_only=True)
class Kept:
    """Which file of a version's folder is its model.

    Attributes:
        flavour: MLflow's word for what can be done with it.
        format: the word of the plugin that opens it.
        path: of the file, below the folder.
        pickled: by which pickler; empty for a format that runs nothing when it is opened.
    """

    flavour: str
    format: str
    path: str
    pickled: str = ""


def bring(
    backend: Backend,
    source: str,
    inputs: Sequence[str],
    rows: pa.Table,
    task: Task,
    ws: Workspace,
    pickles: Collection[str],
) -> Candidate:
    """The candidate behind ``mlflow:NAME@ALIAS`` or ``mlflow:NAME/VERSION``.

    Args:
        backend: where it is.
        source: with the name as MLflow has it.
        inputs: the features in the order that the model takes them; empty for what MLflow says.
        rows: the training rows.
        task: what it is to predict.
        ws: keeps its file.
        pickles: what the stack lets be unpickled; see `may_unpickle`.

    Raises:
        InvalidInput: the source names no version, or the model is none of this task.
        NotFound: there is no such version, or it has no files.
        Unsupported: it is in no format that is opened here, or a pickle that the stack does not
            name.
    """
    version = _version(backend, source)
    exact = f"{version.name}/{version.version}"
    uri = backend.registry.get_model_version_download_uri(version.name, str(version.version))
    folder = ws.scratch()
    about = _described(backend, uri, folder)
    kept, said = _of_ours(backend, version) if is_ours(version) else (_of_another(about), {})
    place = get_file(backend, uri, _inside(kept.path), folder)
    digest = file_digest(place)
    if kept.pickled and not may_unpickle(pickles, version.name, str(version.version), digest):
        raise Unsupported(
            f"{WORD}{exact} is a {kept.pickled}: opening it would run whatever it holds; {_SAFE}, "
            f'or let the stack open it: [stack.NAME.registry-mlflow] pickles = ["{exact}"]'
        )
    if said and digest != said["lineage.digest"]:
        raise InvalidInput(f"the file of {WORD}{exact} is not the one that was registered")
    signature = signature_for(rows, task, inputs or tuple(_inputs(about)))
    if kept.pickled:
        from interlock_registry_mlflow.pickles import to_skops

        ws.log.warning("%s%s is unpickled, as the stack allows", WORD, exact)
        place = to_skops(place, ws.scratch())
    model = Model(format=kept.format, artifact=ws.keep(place), signature=signature)
    fitted = getattr(ws.open_model(model), "fitted", None)
    if kept.pickled and fitted is not None:
        # In its canonical form: the same pickle is then the same model, each time it is brought.
        model = ws.write_model(kept.format, fitted, signature)
    facts: dict[str, Scalar] = {
        "source": f"{WORD}{exact}",
        "asked": source,
        "lineage": "unknown",
        "mlflow.flavour": kept.flavour,
        "mlflow.file": digest,
        "unpickled": bool(kept.pickled),
        **said,
    }
    if version.run_id:
        facts["mlflow.run"] = str(version.run_id)
    kind = type(fitted)
    return Candidate(
        model=model,
        estimator=kept.flavour if fitted is None else f"{kind.__module__}.{kind.__qualname__}",
        origin="imported",
        facts=facts,
    )


def may_unpickle(pickles: Collection[str], name: str, number: str, digest: str) -> bool:
    """Whether a stack names a pickle: by its model, by its version, or by its file's digest.

    >>> may_unpickle(("churn/3",), "churn", "3", ""), may_unpickle(("churn/3",), "churn", "4", "")
    (True, False)
    """
    return not {name, f"{name}/{number}", digest}.isdisjoint(pickles)


def _version(backend: Backend, source: str) -> Any:
    """MLflow's version. An alias is looked up once: what it is on is what is on record."""
    rest = source.removeprefix(WORD)
    name, at, alias = rest.rpartition("@")
    try:
        if at and name and alias:
            return backend.registry.get_model_version_by_alias(name, alias)
        name, _, text = rest.rpartition("/")
        if name and number_of(text) is not None:
            return backend.registry.get_model_version(name, text)
    except mlflow_error() as error:
        # An alias that is well formed, and that the name does not have, is an invalid parameter.
        if code_of(error) in (*ABSENT, "INVALID_PARAMETER_VALUE"):
            raise NotFound(f"{backend.place} has no {rest}: look for the name there") from error
        raise
    raise InvalidInput(
        f"{source} does not say which version: write {WORD}NAME@ALIAS or {WORD}NAME/VERSION"
    )


def _described(backend: Backend, uri: str, folder: Path) -> Mapping[str, Any]:
    """What a folder's MLmodel file says."""
    import yaml

    path = get_file(backend, uri, "MLmodel", folder)
    if path.stat().st_size > _DESCRIBED:
        raise InvalidInput(f"the MLmodel file has more than {_DESCRIBED} bytes")
    try:
        return _table(yaml.safe_load(path.read_bytes()))
    except yaml.YAMLError as error:
        raise InvalidInput("the MLmodel file is no YAML") from error


def _of_ours(backend: Backend, version: Any) -> tuple[Kept, dict[str, Scalar]]:
    """Of a version that Interlock registered, of this project or another: what its tags say."""
    record = read_version(backend, version)
    said: dict[str, Scalar] = {"lineage": "said by MLflow", "lineage.digest": record.model.digest}
    said |= {f"lineage.{key}": record.facts[key] for key in _LINEAGE if key in record.facts}
    if record.model.artifact.folder:
        raise Unsupported(f"{version.name}/{version.version} is a folder, and not one file")
    path = artifact_path(Path(), record.model).as_posix()
    return Kept(flavour="interlock", format=record.model.format, path=path), said


def _of_another(about: Mapping[str, Any]) -> Kept:
    """Of several flavours, the one that runs nothing when it is opened."""
    flavours = _table(about.get("flavors"))
    sklearn, onnx = _table(flavours.get("sklearn")), _table(flavours.get("onnx"))
    file, data = sklearn.get("pickled_model"), onnx.get("data")
    written = str(sklearn.get("serialization_format") or "pickle")
    if isinstance(file, str) and written == "skops":
        return Kept(flavour="sklearn", format="skops", path=file)
    if isinstance(data, str):
        return Kept(flavour="onnx", format="onnx", path=data)
    if isinstance(file, str):
        return Kept(flavour="sklearn", format="skops", path=file, pickled=written)
    found = ", ".join(sorted(map(str, flavours))) or "none"
    raise Unsupported(f"its flavours are {found}, and Interlock opens sklearn and onnx: {_SAFE}")


def _inside(path: str) -> str:
    """The path of a file below the folder that names it."""
    place = PurePosixPath(path)
    if place.is_absolute() or ".." in place.parts or not place.name:
        raise InvalidInput(f"the MLmodel file names {path!r}, which is no file beside it")
    return place.as_posix()


def _inputs(about: Mapping[str, Any]) -> Iterator[str]:
    """The columns that a model was logged with, in their order; none where they have no names."""
    try:
        columns = json.loads(_table(about.get("signature")).get("inputs") or "[]")
        names = [column["name"] for column in columns if column.get("name")]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput("the MLmodel file's signature is not one of MLflow's") from error
    if len(names) == len(columns):
        yield from names


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
