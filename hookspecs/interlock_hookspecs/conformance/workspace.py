"""A workspace in a folder, for testing a plugin without core."""

from __future__ import annotations

import inspect
import logging
import shutil
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlock_hookspecs.artifacts import Artifact
from interlock_hookspecs.digests import path_digest
from interlock_hookspecs.errors import InvalidInput, NotFound
from interlock_hookspecs.models import Model, Predictor, Signature
from interlock_hookspecs.rules import PROJECT

if TYPE_CHECKING:
    import pyarrow as pa


class LocalWorkspace:
    """A `Workspace` that keeps artifacts in a folder and asks the openers it was given.

    Args:
        folder: where artifacts and scratch folders go.
        openers: a plugin for each model format; for any other format the installed one, if any.
        project: attributes of the project's module.

    >>> import tempfile
    >>> ws = LocalWorkspace(Path(tempfile.mkdtemp()))
    >>> path = ws.scratch() / "note.txt"
    >>> _ = path.write_text("hello")
    >>> kept = ws.keep(path)
    >>> kept.name, ws.locate(kept).read_text()
    ('note.txt', 'hello')
    """

    def __init__(
        self,
        folder: Path,
        *,
        openers: Mapping[str, Any] | None = None,
        project: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder = folder
        self.openers = dict(openers or {})
        self._project = dict(project or {})
        self.messages: list[str] = []

    @property
    def run_id(self) -> str:
        return "run-local"

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger("interlock.conformance")

    def scratch(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._made("scratch")))

    def end_call(self) -> None:
        """Delete every scratch folder, as core does when the call that asked for it is over."""
        shutil.rmtree(self._folder / "scratch", ignore_errors=True)

    def keep(self, path: Path, *, name: str | None = None) -> Artifact:
        digest = path_digest(path)
        kept = self._made("blobs") / digest.removeprefix("sha256:")
        if not kept.exists():
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, kept)
        files = [kept] if kept.is_file() else [item for item in kept.rglob("*") if item.is_file()]
        size = sum(item.stat().st_size for item in files)
        return Artifact(digest=digest, size=size, name=name or path.name, folder=path.is_dir())

    def locate(self, artifact: Artifact) -> Path:
        kept = self._made("blobs") / artifact.digest.removeprefix("sha256:")
        if not kept.exists():
            msg = f"nothing is kept under {artifact.digest}"
            raise NotFound(msg)
        if path_digest(kept) != artifact.digest:
            msg = f"{artifact.name}: the bytes kept under {artifact.digest} are others"
            raise InvalidInput(msg)
        return kept

    def opener(self, format: str) -> Any:  # noqa: A002  (the field's own word)
        """The plugin for a format: a trainer in another process writes with one set as it is."""
        return self._opener(format)

    def write_model(self, format: str, fitted: Any, signature: Signature) -> Model:  # noqa: A002  (the field's own word)
        model: Model = self._opener(format).write_model(
            format=format, fitted=fitted, signature=signature, ws=self
        )
        return model

    def open_model(self, model: Model) -> Predictor:
        predictor: Predictor = self._opener(model.format).open_model(model=model, ws=self)
        return predictor

    def package_model(self, target: str, model: Model, rows: pa.Table | None = None) -> Model:
        hook = self._opener(target).package_model
        given = {"format": target, "model": model, "rows": rows, "ws": self}
        asked = inspect.signature(hook).parameters
        packaged: Model = hook(**{name: value for name, value in given.items() if name in asked})
        return packaged

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        self.messages.append(message)

    def project_attribute(self, name: str) -> Any:
        if name not in self._project:
            msg = f"the project's module has no {name!r}"
            raise NotFound(msg)
        return self._project[name]

    def _opener(self, format: str) -> Any:  # noqa: A002  (the field's own word)
        if format not in self.openers:
            for entry_point in metadata.entry_points(group=f"{PROJECT}.model", name=format):
                self.openers[format] = entry_point.load()()
        if format not in self.openers:
            msg = f"no opener for the format {format!r} was given, and none is installed"
            raise NotFound(msg)
        return self.openers[format]

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Killed(BaseException):
    """The end of a process in the middle of a call: no plugin handles it."""


class KilledWorkspace(LocalWorkspace):
    """A workspace in which a call ends half-way.

    Args:
        folder: as of any other.
        at: the method in which it ends, before that did anything.
        openers: a plugin for each model format.
    """

    def __init__(self, folder: Path, *, at: str, openers: Mapping[str, Any] | None = None) -> None:
        super().__init__(folder, openers=openers)
        self._at = at

    def keep(self, path: Path, *, name: str | None = None) -> Artifact:
        self._reached("keep")
        return super().keep(path, name=name)

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        self._reached("progress")
        super().progress(message, done, total)

    def write_model(self, format: str, fitted: Any, signature: Signature) -> Model:  # noqa: A002  (the field's own word)
        self._reached("write_model")
        return super().write_model(format, fitted, signature)

    def _reached(self, method: str) -> None:
        if method == self._at:
            raise Killed(method)
