"""Artifacts, and who made a record."""

from __future__ import annotations

import attrs

from interlock_hookspecs.digests import digest_field
from interlock_hookspecs.values import count, is_a, named


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
