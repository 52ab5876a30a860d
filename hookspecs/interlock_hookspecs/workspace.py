"""The workspace: what a hook may use of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    import pyarrow as pa

    from interlock_hookspecs.artifacts import Artifact
    from interlock_hookspecs.models import Model, Predictor, Signature


@runtime_checkable
class Workspace(Protocol):
    """What a hook may use of the world, given by core as ``ws``.

    A plugin in another process gets a workspace that calls back; so a plugin stores nothing on
    it and passes only paths, artifacts and records through it.
    """

    @property
    def run_id(self) -> str:
        """The run, or the command, that this call belongs to."""

    @property
    def log(self) -> logging.Logger:
        """A logger with the plugin's name. What it prints passes the redactor."""

    def scratch(self) -> Path:
        """A new empty folder of this call's own, deleted when the call is over."""

    def keep(self, path: Path, *, name: str | None = None) -> Artifact:
        """Store a file or folder for good and give its artifact; equal bytes are stored once."""

    def locate(self, artifact: Artifact) -> Path:
        """A local, seekable, read-only path of an artifact whose digest was checked.

        Raises:
            NotFound: nothing is stored under this digest.
            InvalidInput: what is stored has other bytes.
        """

    def write_model(self, format: str, fitted: Any, signature: Signature) -> Model:  # noqa: A002  (the field's own word)
        """Write a fitted object in a format, through the plugin that owns the format."""

    def open_model(self, model: Model) -> Predictor:
        """Open a model through the plugin that owns its format; its digest is checked first."""

    def package_model(self, target: str, model: Model, rows: pa.Table | None = None) -> Model:
        """Convert a model to another format, through the plugin that owns the target format."""

    def progress(self, message: str, done: int | None = None, total: int | None = None) -> None:
        """Say how far a long piece of work is."""

    def project_attribute(self, name: str) -> Any:
        """An attribute of the project's own module, for example an estimator factory.

        Raises:
            NotFound: the project has no module, or the module no such attribute.
        """
