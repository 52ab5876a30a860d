"""Which plugins are installed, without importing any of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

from interlock.plugins.entry_points import entry_points
from interlock_hookspecs import PROJECT, ROLES


class Installed(NamedTuple):
    """A plugin that an installed distribution offers.

    Attributes:
        role, word: ``registry`` and ``sql``; together the plugin's name.
        target: the entry point's value, ``module:Class``.
        distribution, version: who brought it.
        worker: runs it, where it is installed in an environment of its own.
        rivals: the other distributions that offer a plugin of this name, with their versions.
    """

    role: str
    word: str
    target: str
    distribution: str
    version: str
    worker: Any = None
    rivals: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``<role>-<word>``."""
        return f"{self.role}-{self.word}"


@functools.cache
def installed() -> dict[str, Installed]:
    """Every installed plugin by name, in the order of roles and then of words."""
    found: dict[str, Installed] = {}
    for entry_point in entry_points():
        plugin = Installed(*entry_point)
        # A distribution that is found twice on sys.path counts once, the first.
        before = found.setdefault(plugin.name, plugin)
        if before.distribution != plugin.distribution:
            rival = f"{plugin.distribution} {plugin.version}"
            found[plugin.name] = before._replace(rivals=(*before.rivals, rival))
    order = {role: place for place, role in enumerate(ROLES)}
    return dict(sorted(found.items(), key=lambda item: (order[item[1].role], item[1].word)))


def misplaced() -> list[str]:
    """What distributions offer in groups like ours that are of no role, each in a line.

    A plugin whose group is misspelt is not there, and nothing else would say why.
    """
    from importlib import metadata

    known = {f"{PROJECT}.{group}" for group in (*ROLES, "conformance", "cli")}
    everything = metadata.entry_points()
    strange = [
        group
        for group in everything.groups
        if group.startswith(f"{PROJECT}.") and group not in known
    ]
    return sorted(
        f"{found.dist.name if found.dist else 'unknown'} has {found.name!r} in the entry-point "
        f"group {group!r}, which is of no role{nearest(group, known)}"
        for group in strange
        for found in everything.select(group=group)
    )


def nearest_plugin(name: str, known: Iterable[str]) -> str:
    """As `nearest`, also for who typed a plugin's word alone."""
    names = tuple(known)
    of_word = [plugin for plugin in names if plugin.partition("-")[2] == name]
    return f"; did you mean {of_word[0]!r}?" if of_word else nearest(name, names)


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
