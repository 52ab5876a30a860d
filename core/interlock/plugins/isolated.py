"""Plugins in an environment of their own: found, described and checked through their workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from interlock.errors import PluginLoadError
from interlock.plugins.discover import Installed, installed
from interlock_hookspecs import Maker, compatible

if TYPE_CHECKING:
    from interlock.stack import Stack
    from interlock.stack.hosting import Hosting


def offered(stack: Stack) -> dict[str, Installed]:
    """The plugins that a stack may name: those installed here, and those in its environments.

    A worker is started for each that the stack selects.

    Raises:
        PluginLoadError: one of them is not there.
    """
    found = dict(installed())
    for name in stack.plugin_names():
        if stack.hosting(name).python is not None:
            found[name] = isolated(name, stack.hosting(name))
    return found


def isolated_openers(stack: Stack) -> dict[str, Installed]:
    """The openers that a stack runs in environments of their own, a worker started for each.

    Raises:
        PluginLoadError: one of them is not there.
    """
    return {
        name: isolated(name, hosting)
        for name, hosting in stack.hosts.items()
        if name.startswith("model-") and hosting.python is not None
    }


def isolated(name: str, hosting: Hosting) -> Installed:
    """A plugin of another environment, its worker started.

    Raises:
        PluginLoadError: the interpreter does not start, or the plugin is not installed there.
    """
    from interlock_worker.errors import WorkerFailed
    from interlock_worker.parent import WorkerPlugin

    if hosting.python is None:
        msg = f"{name} has no environment of its own"
        raise ValueError(msg)
    worker = WorkerPlugin(
        name,
        hosting.python,
        hook_timeout=hosting.hook_timeout,
        restarts=hosting.restarts,
    )
    try:
        said = worker.description()
    except WorkerFailed as error:
        hint = error.hint or f"interlock plugins install {name} --isolated"
        msg = f"plugin {name}, python = {error}"
        if str(hosting.python) not in msg:
            msg = f"plugin {name}, python = {hosting.python}: {error}"
        raise PluginLoadError(msg, hint=hint) from error
    role, _, word = name.partition("-")
    return Installed(
        role=role,
        word=word,
        target=said["target"],
        distribution=said["distribution"],
        version=said["version"],
        worker=worker,
    )


def load_there(plugin: Installed) -> type[Any]:
    """The class that stands for a plugin of another environment.

    Raises:
        WorkerFailed: it cannot be made.
        PluginLoadError: the contract there is older than the plugin.
    """
    said = plugin.worker.description()
    stated, there = said["contract"], said["contract_there"]
    if stated is not None and not compatible(stated, there):
        msg = (
            f"plugin {plugin.name} {plugin.version} was written for contract {stated}, "
            f"its environment has {there}"
        )
        hint = f"{plugin.worker.python} -m pip install --upgrade interlock-hookspecs"
        raise PluginLoadError(msg, hint=hint)
    cls: type[Any] = plugin.worker.plugin_class()
    return cls


def hosting_for(stack: Stack, owner: Maker | str) -> Hosting:
    """How to run a plugin that the stack does not name: as it says, else as a record says.

    Args:
        stack: whose tables count first.
        owner: the maker of a record, or a plugin's name.
    """
    from interlock.stack.hosting import recorded_hosting

    said = stack.hosting(owner if isinstance(owner, str) else owner.plugin)
    if isinstance(owner, str) or said.python is not None:
        return said
    then = recorded_hosting(owner.settings, stack.root)
    # An environment that was cleared away leaves the plugin that is installed here.
    there = then.python is not None and (then.python.exists() or owner.plugin not in installed())
    return attrs.evolve(said, python=then.python if there else None, restarts=then.restarts)
