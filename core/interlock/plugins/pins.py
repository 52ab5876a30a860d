"""The pins of a stack: what its plugins are installed as here, and what a lock says against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from interlock.errors import StackError
from interlock.plugins.inventory import Inventory, canonical, here, roots_of, there
from interlock.stack.lock import Pins, read_lock
from interlock.stack.model import LOCK

if TYPE_CHECKING:
    from interlock.plugins.discover import Installed
    from interlock.stack.model import Stack

_CORE = "interlock-core"
_OPENERS = "model"


def pins_here(stack: Stack, known: Mapping[str, Installed]) -> Pins:
    """What a stack would be locked to: its plugins, every installed opener, and all that they need.

    Openers are loaded by the format of a model, whatever the stack names. A plugin in an
    environment of its own is pinned with what it and its worker need there.

    Args:
        stack: as loaded from its file.
        known: the plugins by name, installed here or in environments of their own, such openers
            included.

    Raises:
        StackError: a plugin, or something that one needs, is not installed.
        WorkerFailed: a worker crashed.
    """
    missing = [name for name in stack.plugin_names() if name not in known]
    openers = [name for name, plugin in known.items() if plugin.role == _OPENERS]
    names = [name for name in (*stack.plugin_names(), *openers) if name in known]
    own = [known[name].distribution for name in names if known[name].worker is None]
    distributions, lacking = here().needed((_CORE, *own))
    missing += lacking
    environments = {}
    for name in names:
        if known[name].worker is not None:
            found, lacking = there(known[name]).needed(roots_of(known[name]))
            environments[name] = found
            missing += [f"{one} in the environment of {name}" for one in lacking]
    if missing:
        problems = tuple(f"{name} is not installed" for name in dict.fromkeys(missing))
        raise StackError(problems, hint="install it, then interlock stack lock")
    plugins = {name: _said(known[name]) for name in names}
    return Pins(plugins=plugins, distributions=distributions, environments=environments)


def lock_problems(stack: Stack, known: Mapping[str, Installed]) -> list[str]:
    """What is installed otherwise than the lock says, one line each; nothing where none is locked.

    Raises:
        StackError: the lock file is none.
    """
    pins = read_lock(stack.lock).get(stack.name)
    if pins is None:
        return []
    named = set(stack.plugin_names())
    problems = [
        _problem(name, known.get(name), said)
        for name, said in pins.plugins.items()
        if name in named and (name not in known or _said(known[name]) != said)
    ]
    problems += [
        f"{name} is not in {LOCK}, which locks the stack {stack.name!r}: interlock stack lock"
        for name in stack.plugin_names()
        if name in known and name not in pins.plugins
    ]
    ours = {canonical(known[name].distribution) for name in named if name in known}
    problems += _other_versions(here(), pins.distributions, but=ours)
    for name in stack.plugin_names():
        if name in known and name in pins.plugins:
            problems += _environment_problems(known[name], pins)
    return problems


def refuse_unlocked(stack: Stack, plugin: Installed, *, as_opener: bool) -> None:
    """Refuse a plugin that the stack does not name, where the stack's lock says otherwise of it.

    An opener must be in the lock. The maker of a record of old, which the stack has swapped since,
    need not be: the record names it, and the lock is of what came after.

    Raises:
        StackError: it is another version than the lock says, or an opener that it does not know.
    """
    pins = read_lock(stack.lock).get(stack.name)
    if pins is None:
        return
    said = pins.plugins.get(plugin.name)
    if said is None and as_opener:
        problem = f"{plugin.name} is not in {LOCK}, which locks the stack {stack.name!r}"
        raise StackError((problem,), hint="interlock stack lock")
    if said is None:
        return
    problems = [_problem(plugin.name, plugin, said)] if said != _said(plugin) else []
    if as_opener or (plugin.worker is not None and plugin.name in pins.environments):
        problems += _environment_problems(plugin, pins)
    if problems:
        raise StackError(tuple(problems))


def _environment_problems(plugin: Installed, pins: Pins) -> Iterator[str]:
    """What a plugin's own environment has otherwise than the lock says."""
    wanted = pins.environments.get(plugin.name)
    if plugin.worker is None:
        if wanted is not None:
            yield (
                f"{plugin.name} runs here, {LOCK} has it in an environment of its own: "
                "interlock stack lock"
            )
        return
    if wanted is None:
        yield (
            f"{plugin.name} runs in an environment of its own, {LOCK} has it here: "
            "interlock stack lock"
        )
        return
    own = {canonical(plugin.distribution)}
    for problem in _other_versions(there(plugin, wanted), wanted, but=own):
        yield f"in the environment of {plugin.name}: {problem}"


def lock_differences(pins: Pins, found: Pins) -> Iterator[str]:
    """What a lock says otherwise than the installation, both ways, one line each."""
    own = {said.rpartition(" ")[0] for said in (*pins.plugins.values(), *found.plugins.values())}
    yield from _differences(pins.plugins, found.plugins)
    yield from _differences(pins.distributions, found.distributions, but=own)
    for name in sorted({*pins.environments, *found.environments}):
        locked, installed = (said.environments.get(name, {}) for said in (pins, found))
        for difference in _differences(locked, installed, but=own):
            yield f"in the environment of {name}: {difference}"


def _differences(
    locked: Mapping[str, str], installed: Mapping[str, str], but: Iterable[str] = ()
) -> Iterator[str]:
    for name in sorted({*locked, *installed}.difference(but)):
        was, now = locked.get(name), installed.get(name)
        if was is None:
            yield f"{name}: {now} is needed here, {LOCK} does not have it"
        elif now is None:
            yield f"{name}: {LOCK} says {was}, and nothing here needs it"
        elif was != now:
            yield f"{name}: {now} is installed, {LOCK} says {was}"


def _other_versions(place: Inventory, wanted: Mapping[str, str], *, but: set[str]) -> Iterator[str]:
    for name, version in wanted.items():
        if name in but:
            continue  # told as a plugin
        found = place.find(name)
        if found is None:
            yield f"{name} is not installed, {LOCK} says {version}"
        elif found.version != version:
            yield (
                f"{name} {found.version} is installed, {LOCK} says {version}: "
                f"install {name}=={version}, or interlock stack lock"
            )


def _said(plugin: Installed) -> str:
    return f"{canonical(plugin.distribution)} {plugin.version}"


def _problem(name: str, found: Installed | None, said: str) -> str:
    distribution, _, version = said.rpartition(" ")
    if found is None:
        return f"{name} is not installed, {LOCK} says {said}"
    if canonical(found.distribution) != distribution:
        return f"{name} comes from {_said(found)}, {LOCK} says {said}"
    return (
        f"{name} {found.version} is installed, {LOCK} says {version}: "
        f"install {distribution}=={version}, or interlock stack lock"
    )
