"""Folders of files, to where MLflow keeps artifacts and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from interlock_hookspecs import InvalidInput, NotFound, Unavailable, Unsupported

if TYPE_CHECKING:
    from interlock_registry_mlflow.backend import Backend
    from interlock_registry_mlflow.transport import Transport

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"
_PIECE = 1 << 20


def put_folder(backend: Backend, folder: Path, uri: str) -> None:
    """Copy a folder's files to an artifact location.

    Raises:
        Unavailable: it cannot be written to.
        InvalidInput: a server takes no file of such a name.
    """
    transport = _proxy(backend, uri)
    if transport is None:
        with _reached(uri) as store:
            store.log_artifacts(str(folder))
        return
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        inner = path.relative_to(folder).as_posix()
        answer = transport.send(
            "PUT",
            f"{_PROXY}/{quote(f'{_root(uri)}/{inner}')}",
            repeat=True,
            file=path,
        )
        if answer.status_code == HTTPStatus.BAD_REQUEST:
            raise InvalidInput(
                f"registry-mlflow: {backend.place} takes no file {inner!r}: rename it, to "
                "letters, digits, dots and dashes"
            )
        if not answer.ok:
            raise Unavailable(f"registry-mlflow: {backend.place} took no file: {_said(answer)}")


def get_folder(backend: Backend, uri: str, folder: Path) -> None:
    """Copy an artifact location's files into a folder.

    Raises:
        NotFound: there are none.
        Unavailable: they cannot be read.
    """
    transport = _proxy(backend, uri)
    if transport is None:
        with _reached(uri) as store:
            store.download_artifacts("", str(folder))
    else:
        _get_below(transport, PurePosixPath(_root(uri)), folder)
    if not any(folder.iterdir()):
        raise NotFound(f"registry-mlflow: {backend.place} has no files at {uri}")


def get_file(backend: Backend, uri: str, inner: str, folder: Path) -> Path:
    """Copy one file of an artifact location into a folder, below its own path.

    Raises:
        NotFound: it is not there.
        Unavailable: it cannot be read.
    """
    place = folder / inner
    place.parent.mkdir(parents=True, exist_ok=True)
    transport = _proxy(backend, uri)
    if transport is None:
        with _reached(uri) as store:
            store.download_artifacts(inner, str(folder))
    else:
        above = PurePosixPath(_root(uri), inner).parent
        names = {PurePosixPath(entry["path"]).name for entry in _listed(transport, above)}
        if place.name in names:
            _get_file(transport, above / place.name, place)
    if not place.is_file():
        raise NotFound(f"registry-mlflow: {backend.place} has no file {inner} at {uri}")
    return place


def _get_below(transport: Transport, inner: PurePosixPath, folder: Path) -> None:
    for entry in _listed(transport, inner):
        name = PurePosixPath(entry["path"]).name
        if entry.get("is_dir"):
            (folder / name).mkdir()
            _get_below(transport, inner / name, folder / name)
        else:
            _get_file(transport, inner / name, folder / name)


def _listed(transport: Transport, inner: PurePosixPath) -> list[dict[str, Any]]:
    answer = transport.send("GET", _PROXY, repeat=True, params={"path": str(inner)})
    if not answer.ok:
        raise Unavailable(f"registry-mlflow: {transport.place} lists no files: {_said(answer)}")
    found: list[dict[str, Any]] = answer.json().get("files", [])
    return found


def _get_file(transport: Transport, inner: PurePosixPath, path: Path) -> None:
    with (
        transport.send("GET", f"{_PROXY}/{quote(str(inner))}", repeat=True, stream=True) as answer,
        path.open("wb") as file,
    ):
        if not answer.ok:
            raise Unavailable(f"registry-mlflow: {transport.place} gave no file: {_said(answer)}")
        for piece in answer.iter_content(_PIECE):
            file.write(piece)


@contextlib.contextmanager
def _reached(uri: str) -> Iterator[Any]:
    """MLflow's client of the store of an artifact location, where a server passes no files on.

    Raises:
        Unsupported: what it takes to reach that store is not installed.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        yield get_artifact_repository(uri)
    except ImportError as error:
        raise Unsupported(
            f"registry-mlflow: files at {urlsplit(uri).scheme}:// need {error.name}, which is not "
            "installed: install it, or start the server with --artifacts-destination"
        ) from error


def _proxy(backend: Backend, uri: str) -> Transport | None:
    """The server, where it passes files on; None where they are reached without it."""
    return backend.transport if urlsplit(uri).scheme == "mlflow-artifacts" else None


def _root(uri: str) -> str:
    return urlsplit(uri).path.strip("/")


def _said(answer: object) -> str:
    return f"{getattr(answer, 'status_code', '')} {getattr(answer, 'reason', '')}".strip()
