"""The workspace: what core gives a hook as ``ws``."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from interlock.errors import ArtifactError, Tampered
from interlock_hookspecs import Artifact, InvalidInput, Model, NotFound, Predictor, Signature

if TYPE_CHECKING:
    import pyarrow as pa

    from interlock.artifacts.store import ArtifactStore
    from interlock.plugins.funnel import Funnel

Progress = Callable[[str, int | None, int | None], None]
"""Told of long work: a message, how much is done, of how much."""


class CoreWorkspace:
    """A `Workspace` over the artifact store and the openers of this installation.

    A context manager: its scratch folders are gone when it is left.
    """

    def __init__(
        self,
        *,
        run_id: str,
        store: ArtifactStore,
        funnel: Funnel,
        progress: Progress,
        project: Callable[[], ModuleType | None],
    ) -> None:
        self._run_id = run_id
        self._store = store
        self._funnel = funnel
        self._progress = progress
        self._project = project
        self._folders: list[Path] = []
        self._located: list[Artifact] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._folders.clear()
        for artifact in self._located:
            self._store.let_go(artifact)
        self._located.clear()

    @property
    def run_id(self) -> str:
        return self._run_id

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger("interlock.plugins")

    def scratch(self) -> Path:
        folder = self._store.scratch()
        self._folders.append(folder)
        return folder

    def keep(self, path: Path, *, name: str | None = None) -> Artifact:
        return self._store.keep(path, name=name)

    def locate(self, artifact: Artifact) -> Path:
        try:
            path = self._store.locate(artifact)
        except Tampered as error:
            raise InvalidInput(str(error)) from error
        except ArtifactError as error:
            raise NotFound(str(error)) from error
        if artifact.folder:
            self._folders.append(path.parent)
        else:
            self._located.append(artifact)
        return path

    def opener(self, format: str) -> Any:  # noqa: A002  (the field's own word)
        """The plugin that owns a format: in another environment, one with its settings writes."""
        return self._funnel.member(_opener(format)).plugin

    def write_model(self, format: str, fitted: Any, signature: Signature) -> Model:  # noqa: A002  (the field's own word)
        model: Model = self._funnel.owner(
            "write_model",
            _opener(format),
            format=format,
            fitted=fitted,
            signature=signature,
            ws=self,
        )
        return model

    def open_model(self, model: Model) -> Predictor:
        predictor: Predictor = self._funnel.owner(
            "open_model", _opener(model.format), model=model, ws=self
        )
        return predictor

    def package_model(self, target: str, model: Model, rows: pa.Table | None = None) -> Model:
        packaged: Model = self._funnel.owner(
            "package_model", _opener(target), format=target, model=model, rows=rows, ws=self
        )
        return packaged

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        self._progress(message, done, total)

    def project_attribute(self, name: str) -> Any:
        module = self._project()
        if module is None:
            msg = f"the project has no module to take {name!r} from: set [project] module"
            raise NotFound(msg)
        try:
            return getattr(module, name)
        except AttributeError:
            msg = f"{module.__file__} has no {name!r}"
            raise NotFound(msg) from None


def _opener(format: str) -> str:  # noqa: A002  (the field's own word)
    return f"model-{format}"
