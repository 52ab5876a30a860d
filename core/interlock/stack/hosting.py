"""Where a plugin runs and for how long: the keys of its table that are core's and no setting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from interlock.stack.fields import COUNT, TEXT, TIMEOUT, Key, Keys
from interlock.stack.paths import absolute
from interlock.stack.places import Cell

HOSTING: Keys = MappingProxyType(
    {
        "python": Key(
            TEXT, "the interpreter of an environment of the plugin's own, where it then runs"
        ),
        "hook_timeout": Key(TIMEOUT, "how long each of its hooks may take; serving has no end"),
        "restarts": Key(COUNT, "how often its process is started again after a crash"),
    }
)
"""The keys that any plugin's table may have. The plugin is not told of them."""


@attrs.frozen(kw_only=True)
class Hosting:
    """How core runs a plugin.

    Attributes:
        python: the interpreter of its own environment, an absolute path; None where it runs in
            core's process.
        hook_timeout: seconds that a hook may take; None for no limit.
        restarts: how often its process is started again after a crash.
    """

    python: Path | None = None
    hook_timeout: float | None = None
    restarts: int = 1


def hosting_of(cells: Mapping[str, Cell]) -> Hosting:
    """What a plugin's table says of its hosting, a relative path against its file's folder."""
    said: dict[str, Any] = {
        name: HOSTING[name].kind.take(cell.value) for name, cell in cells.items() if name in HOSTING
    }
    if "python" in said:
        said["python"] = Path(absolute(said["python"], cells["python"].place.source.folder))
    return Hosting(**said)


def recorded_hosting(settings: str, root: Path) -> Hosting:
    """What settings on record say of it, a relative path against the project's folder."""
    said = {name: value for name, value in json.loads(settings).items() if name in HOSTING}
    read: dict[str, Any] = {name: HOSTING[name].kind.take(value) for name, value in said.items()}
    if "python" in read:
        read["python"] = Path(absolute(read["python"], root))
    return Hosting(**read)


def without_hosting(settings: str) -> str:
    """Settings on record, as canonical JSON, without what says where and how long they ran.

    The interpreter's path belongs to a host, and a limit to a day's patience. Neither decides
    what a plugin makes; its version, as found in that environment, does, and stands beside.

    >>> without_hosting('{"estimator":"tree","python":".venvs/a/bin/python"}')
    '{"estimator":"tree"}'
    """
    said = json.loads(settings)
    kept = {name: value for name, value in said.items() if name not in HOSTING}
    if len(kept) == len(said):
        return settings
    from interlock.codec import canonical

    return canonical(kept).decode()
