"""Which plugins are installed, without importing any of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import attrs

from interlock_hookspecs import PROJECT, ROLES


@attrs.frozen(kw_only=True)
class Installed:
    """A plugin that an installed distribution offers.

    Attributes:
        role, word: ``registry`` and ``sql``; together the plugin's name.
        target: the entry point's value, ``module:Class``.
        distribution, version: who brought it.
        entry_point: imports it.
        worker: runs it, where it is installed in an environment of its own.
    """

    role: str
    word: str
    target: str
    distribution: str
    version: str
    entry_point: metadata.EntryPoint = attrs.field(repr=False, eq=False)
    worker: Any = attrs.field(default=None, repr=False, eq=False)

    @property
    def name(self) -> str:
        """``<role>-<word>``."""
        return f"{self.role}-{self.word}"


@functools.cache
def installed() -> dict[str, Installed]:
    """Every installed plugin by name, in the order of roles and then of words."""
    found: dict[str, Installed] = {}
    for entry_point in _entry_points():
        role = entry_point.group.removeprefix(f"{PROJECT}.")
        name, version = _said(entry_point.dist)
        plugin = Installed(
            role=role,
            word=entry_point.name,
            target=entry_point.value,
            distribution=name,
            version=version,
            entry_point=entry_point,
        )
        # A distribution that is found twice on sys.path counts once, the first.
        found.setdefault(plugin.name, plugin)
    order = {role: place for place, role in enumerate(ROLES)}
    return dict(sorted(found.items(), key=lambda item: (order[item[1].role], item[1].word)))


def _said(distribution: metadata.Distribution | None) -> tuple[str, str]:
    """The name and the version of a distribution, from the first lines of its metadata.

    ``distribution.name`` has the whole of it parsed as a message of mail, long description
    included, each time.
    """
    said = {"Name": "unknown", "Version": "0"}
    if distribution is None:
        return said["Name"], said["Version"]
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    for line in text.splitlines():
        if not line:  # the description begins
            break
        key, _, value = line.partition(": ")
        if key in said:
            said[key] = value.strip()
    return said["Name"], said["Version"]


def _entry_points() -> Iterable[metadata.EntryPoint]:
    everything = metadata.entry_points()
    for role in ROLES:
        yield from everything.select(group=f"{PROJECT}.{role}")


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
