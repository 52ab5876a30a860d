"""The pins of a stack: what its plugins are installed as here, and what a lock says against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from interlock.errors import StackError
from interlock.stack.lock import FILE_NAME, Pins, lock_path, read_lock

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from interlock.plugins.discover import Installed
    from interlock.stack.model import Stack

_CORE = "interlock-core"
_OPENERS = "model"


def pins_here(stack: Stack, known: Mapping[str, Installed]) -> Pins:
    """What a stack would be locked to: its plugins, every installed opener, and all that they need.

    Openers are loaded by the format of a model, whatever the stack names. Extras count where a
    requirement asks for them; one that somebody installed by hand is not seen. Of a plugin in an
    environment of its own the version is pinned; what else is in there is that environment's.

    Args:
        stack: as loaded from its file.
        known: the installed plugins by name.

    Raises:
        StackError: a plugin, or something that one needs, is not installed.
    """
    missing = [name for name in stack.plugin_names() if name not in known]
    openers = [name for name, plugin in known.items() if plugin.role == _OPENERS]
    names = [name for name in (*stack.plugin_names(), *openers) if name in known]
    distributions: dict[str, str] = {}
    here = [known[name].distribution for name in names if known[name].worker is None]
    for root in (_CORE, *here):
        missing += _gather(root, distributions)
    if missing:
        problems = tuple(f"{name} is not installed" for name in dict.fromkeys(missing))
        raise StackError(problems, hint="install it, then interlock stack lock")
    plugins = {name: _said(known[name]) for name in names}
    return Pins(plugins=plugins, distributions=distributions)


def _gather(root: str, found: dict[str, str]) -> list[str]:
    """Add a distribution and all that it needs; give the names of what is not installed."""
    from packaging.requirements import Requirement

    missing = []
    waiting = [Requirement(root)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name, extras = _canonical(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        found[name] = distribution.version
        for line in distribution.requires or ():
            needed = Requirement(line)
            if _applies(needed, extras):
                waiting.append(needed)
    return missing


def _applies(needed: Requirement, extras: frozenset[str]) -> bool:
    """Whether a requirement counts on this machine, with one of these extras or none."""
    marker = needed.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def lock_problems(stack: Stack, known: Mapping[str, Installed]) -> list[str]:
    """What is installed otherwise than the lock says, one line each; nothing where none is locked.

    Raises:
        StackError: the lock file is none.
    """
    pins = read_lock(lock_path(stack)).get(stack.name)
    if pins is None:
        return []
    named = set(stack.plugin_names())
    problems = [
        _problem(name, known.get(name), said)
        for name, said in pins.plugins.items()
        if name in named and (name not in known or _said(known[name]) != said)
    ]
    problems += [
        f"{name} is not in {FILE_NAME}, which locks the stack {stack.name!r}: interlock stack lock"
        for name in stack.plugin_names()
        if name in known and name not in pins.plugins
    ]
    ours = {_canonical(known[name].distribution) for name in named if name in known}
    problems += _other_versions(pins.distributions, ours)
    return problems


def refuse_unlocked(stack: Stack, plugin: Installed, *, as_opener: bool) -> None:
    """Refuse a plugin that the stack does not name, where the stack's lock says otherwise of it.

    An opener must be in the lock. The maker of a record of old, which the stack has swapped since,
    need not be: the record names it, and the lock is of what came after.

    Raises:
        StackError: it is another version than the lock says, or an opener that it does not know.
    """
    pins = read_lock(lock_path(stack)).get(stack.name)
    if pins is None:
        return
    said = pins.plugins.get(plugin.name)
    if said is None and as_opener:
        problem = f"{plugin.name} is not in {FILE_NAME}, which locks the stack {stack.name!r}"
        raise StackError((problem,), hint="interlock stack lock")
    if said is not None and said != _said(plugin):
        raise StackError((_problem(plugin.name, plugin, said),))


def lock_differences(pins: Pins, here: Pins) -> Iterator[str]:
    """What a lock says otherwise than the installation, both ways, one line each."""
    own = {said.rpartition(" ")[0] for said in (*pins.plugins.values(), *here.plugins.values())}
    for locked, installed, told in (
        (pins.plugins, here.plugins, set()),
        (pins.distributions, here.distributions, own),
    ):
        for name in sorted({*locked, *installed} - told):
            was, now = locked.get(name), installed.get(name)
            if was is None:
                yield f"{name}: {now} is needed here, {FILE_NAME} does not have it"
            elif now is None:
                yield f"{name}: {FILE_NAME} says {was}, and nothing here needs it"
            elif was != now:
                yield f"{name}: {now} is installed, {FILE_NAME} says {was}"


def _other_versions(wanted: Mapping[str, str], but: set[str]) -> Iterator[str]:
    for name, version in wanted.items():
        if name in but:
            continue  # told as a plugin
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is not installed, {FILE_NAME} says {version}"
            continue
        if found != version:
            yield (
                f"{name} {found} is installed, {FILE_NAME} says {version}: "
                f"install {name}=={version}, or interlock stack lock"
            )


def _canonical(name: str) -> str:
    """A distribution's name as PyPA's specification of names has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _said(plugin: Installed) -> str:
    return f"{_canonical(plugin.distribution)} {plugin.version}"


def _problem(name: str, found: Installed | None, said: str) -> str:
    distribution, _, version = said.rpartition(" ")
    if found is None:
        return f"{name} is not installed, {FILE_NAME} says {said}"
    if _canonical(found.distribution) != distribution:
        return f"{name} comes from {_said(found)}, {FILE_NAME} says {said}"
    return (
        f"{name} {found.version} is installed, {FILE_NAME} says {version}: "
        f"install {distribution}=={version}, or interlock stack lock"
    )
