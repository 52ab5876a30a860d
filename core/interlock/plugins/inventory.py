"""What is installed in an environment, this one or a plugin's own, and what needs what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from interlock.plugins.discover import Installed

_WORKER = "interlock-worker"


@attrs.frozen(kw_only=True)
class Distribution:
    """An installed distribution.

    Attributes:
        version: its version.
        requires: its requirements, as its metadata has them.
    """

    version: str
    requires: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Inventory:
    """The distributions of an environment.

    Attributes:
        find: the distribution of a canonical name, or None.
        markers: by what conditions of requirements are decided; empty for this interpreter's.
    """

    find: Callable[[str], Distribution | None]
    markers: Mapping[str, str] = attrs.field(factory=dict)

    def needed(self, roots: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """The versions of distributions with all that they need, and the names of what is missing.

        Extras count where a requirement asks for them; one that somebody installed by hand is not
        seen.
        """
        from packaging.requirements import Requirement

        found: dict[str, str] = {}
        missing = []
        waiting = [Requirement(root) for root in roots]
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            wanted = waiting.pop()
            name, extras = canonical(wanted.name), frozenset(wanted.extras)
            if (name, extras) in seen:
                continue
            seen.add((name, extras))
            distribution = self.find(name)
            if distribution is None:
                missing.append(name)
                continue
            found[name] = distribution.version
            needed = (Requirement(line) for line in distribution.requires)
            waiting += [one for one in needed if self._applies(one, extras)]
        return found, missing

    def _applies(self, needed: Requirement, extras: frozenset[str]) -> bool:
        """Whether a requirement counts in this environment, with one of these extras or none."""
        marker = needed.marker
        if marker is None:
            return True
        given = dict(self.markers)
        return any(marker.evaluate({**given, "extra": extra}) for extra in ("", *extras))


def here() -> Inventory:
    """This process's environment."""
    from importlib import metadata

    def find(name: str) -> Distribution | None:
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return None
        return Distribution(version=found.version, requires=tuple(found.requires or ()))

    return Inventory(find=find)


def there(plugin: Installed, also: Iterable[str] = ()) -> Inventory:
    """The environment of a plugin's own, as its worker tells it: what it needs, and what is asked.

    Args:
        plugin: with a worker.
        also: names of distributions to look up beside those that the plugin needs.

    Raises:
        WorkerFailed: the worker crashed.
    """
    said = plugin.worker.distributions([*roots_of(plugin), *also])
    found = {
        canonical(name): Distribution(version=one["version"], requires=tuple(one["requires"]))
        for name, one in said["found"].items()
    }
    return Inventory(find=found.get, markers=said["markers"])


def roots_of(plugin: Installed) -> tuple[str, ...]:
    """What an environment of a plugin's own is made for."""
    return (plugin.distribution, _WORKER)


def canonical(name: str) -> str:
    """A distribution's name as PyPA's specification of names has it."""
    return re.sub(r"[-_.]+", "-", name).lower()
