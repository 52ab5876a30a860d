"""Artifacts, who made a record, and the workspace: the handle a hook gets to work with both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs

from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.values import count, is_a, named

if TYPE_CHECKING:
    import logging
    from pathlib import Path

    import pyarrow as pa

    from interlock_hookspecs.model import Model, Predictor, Signature


@attrs.frozen(kw_only=True)
class Artifact:
    """A file or a folder that core keeps by its digest.

    Attributes:
        digest: which bytes: a file's digest, or that of a folder's manifest.
        size: bytes, over all files.
        name: the file name a person sees. It is not part of the digest.
        folder: whether it is a folder.

    >>> Artifact(digest="sha256:" + "0" * 64, size=12, name="model.skops").name
    'model.skops'
    """

    digest: str = attrs.field(validator=[named, digest_field])
    size: int = attrs.field(validator=count)
    name: str = attrs.field(validator=named)
    folder: bool = attrs.field(default=False, validator=is_a(bool))


@attrs.frozen(kw_only=True)
class Maker:
    """The plugin that made a record, as the funnel stamps it.

    Attributes:
        plugin: ``<role>-<word>``, for example ``validate-metrics``; ``project`` for the
            project's own module.
        version: the version of its distribution.
        settings: its settings as canonical JSON, every ``${NAME}`` unexpanded.

    >>> Maker(plugin="validate-metrics", version="0.1.0").word
    'metrics'
    """

    plugin: str = attrs.field(validator=named)
    version: str = attrs.field(validator=named)
    settings: str = attrs.field(default="{}", validator=is_a(str))

    @property
    def word(self) -> str:
        """The name as a stack file writes it, without the role."""
        _, dash, word = self.plugin.partition("-")
        return word if dash else self.plugin

    def __str__(self) -> str:
        return f"{self.plugin} {self.version}"


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
