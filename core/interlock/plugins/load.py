"""From a stack to its plugins: imported by name, checked, configured."""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Collection, Iterable
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from interlock.errors import PluginLoadError, StackError, UnsetError
from interlock.plugins.discover import Installed, installed, nearest
from interlock.plugins.funnel import Funnel, Member
from interlock.plugins.isolated import hosting_for, isolated, load_there, offered
from interlock.stack.hosting import HOSTING, Hosting
from interlock_hookspecs import Maker, kinds_of
from interlock_hookspecs.form import breaches, deprecations, import_place, omissions

if TYPE_CHECKING:
    from pathlib import Path

    from interlock.stack import Stack
    from interlock_hookspecs import Secret

PROJECT_PLUGIN = "project"
"""The name that the project's own module goes by."""


def load(
    stack: Stack,
    *,
    warn: Callable[[str], None] | None = None,
    only: Collection[str] | None = None,
    late: bool = False,
    learn: Callable[[Iterable[Secret[str]]], None] | None = None,
) -> Funnel:
    """The funnel over the plugins that a stack names, and the project's module last.

    Args:
        stack: as loaded from its file.
        warn: told of each use of what the contract will be without, plugin and hook named.
        only: the plugins that are imported of those that it names, without the project's module;
            None for all. The stack's lock is held against all of them either way.
        late: whether one whose settings lack a variable of the environment is refused only once
            it is asked, and not here.
        learn: told of the secrets in settings on record, which the stack may not name any more,
            before they are used.

    Raises:
        StackError: settings do not fit, all mistakes at once; or an unknown plugin is named.
        PluginLoadError: a plugin fails to import or breaks the contract's form.
    """
    known = offered(stack)
    problems = _misnamed(stack, known)
    if not late:
        problems += stack.lacking(only)
    members = []
    for name in stack.plugin_names():
        if name not in known or not (only is None or name in only):
            continue
        try:
            member = _member(known[name], stack, late=late)
            problems += _unserved(member, stack)
            members.append(member)
        except StackError as error:
            problems += error.problems
    if problems:
        raise StackError(tuple(dict.fromkeys(problems)))
    if stack.project.module is not None and only is None:
        members.append(_project_member(stack.project.module, stack.hook_timeout))
    if warn is not None:
        for member in members:
            # The instance's fields are settings, which are not to be read: its class is asked.
            form = member.plugin if isinstance(member.plugin, ModuleType) else type(member.plugin)
            for text in deprecations(form):
                warn(f"plugin {member.maker}: {text}")
    return Funnel(members, find_owner=lambda owner: _absent_member(owner, stack, learn))


def load_class(plugin: Installed) -> type[Any]:
    """Import a plugin's class and check its form.

    Raises:
        PluginLoadError: named, with the distribution and every breach; or several distributions
            offer it, and which of them is found first is the file system's to say.
    """
    if plugin.rivals:
        own = f"{plugin.distribution} {plugin.version}"
        offering = " and ".join(sorted((own, *plugin.rivals)))
        msg = f"plugin {plugin.name} is offered by {offering}"
        raise PluginLoadError(msg, hint="pip uninstall all of them but one")
    where = f"plugin {plugin.name} {plugin.version} ({plugin.target})"
    try:
        # An entry point may load anything: breaches() looks.
        cls: type[Any] = load_there(plugin) if plugin.worker else _imported(plugin.target)
    except PluginLoadError:
        raise
    except (Exception, SystemExit) as error:
        raised = f"{type(error).__name__}: {error}{import_place(error)}"
        msg = f"{where} cannot be imported: {raised}"
        hint = f"reinstall {plugin.distribution}, or name another plugin in the stack file"
        raise PluginLoadError(msg, hint=hint) from error
    found = [*breaches(cls, plugin.role), *_taken_names(cls)]
    if found:
        raise PluginLoadError("\n".join(f"{where}: {breach}" for breach in found))
    return cls


def _imported(target: str) -> Any:
    """What an entry point names: ``module:Class``, the extras behind it aside."""
    module, _, name = target.partition("[")[0].partition(":")
    parts = filter(None, name.strip().split("."))
    return functools.reduce(getattr, parts, importlib.import_module(module.strip()))


def _taken_names(cls: type[Any]) -> list[str]:
    names = {field.alias for field in attrs.fields(cls)} if attrs.has(cls) else set()
    return [
        f"{name!r} is a key of core's: call the setting otherwise" for name in names & {*HOSTING}
    ]


def _misnamed(stack: Stack, known: dict[str, Installed]) -> list[str]:
    """What the stack file and the lock name that is not installed, each in a line."""
    from interlock.stack import check_settings_names

    problems = []
    if stack.lock.exists():
        from interlock.plugins.pins import lock_problems

        problems += lock_problems(stack, known)
    problems += [_unknown(name, known, stack) for name in stack.plugin_names() if name not in known]
    problems += check_settings_names(stack, {*known, *_hosted(stack)})
    return problems


def _member(plugin: Installed, stack: Stack, *, late: bool = False) -> Member:
    from interlock.stack import structure_settings

    cls = load_class(plugin)
    member = functools.partial(
        Member,
        maker=Maker(
            plugin=plugin.name, version=plugin.version, settings=stack.settings_text(plugin.name)
        ),
        roles=(plugin.role,),
        hook_timeout=_limit(plugin, stack.hosting(plugin.name)),
    )
    try:
        instance = structure_settings(
            cls,
            stack.settings.get(plugin.name, {}),
            where=f"stack.{stack.name}.{plugin.name}",
            origins=stack.origins,
            root=stack.root,
        )
    except UnsetError as error:
        if not late:
            raise
        # It is there to be found, and never runs: no setting of it has a value.
        return member(plugin=object.__new__(cls), left_out=frozenset(), unset=error)
    _refuse_omissions(instance, plugin)
    return member(plugin=instance)


def _refuse_omissions(instance: Any, plugin: Installed) -> None:
    where = f"plugin {plugin.name} {plugin.version} ({plugin.target})"
    found = list(omissions(instance, plugin.role))
    if found:
        raise PluginLoadError("\n".join(f"{where}: {breach}" for breach in found))


def _hosted(stack: Stack) -> list[str]:
    """The plugins that have an environment of their own, selected or not."""
    return [name for name, hosting in stack.hosts.items() if hosting.python is not None]


def _limit(plugin: Installed, hosting: Hosting) -> float | None:
    # The worker of an isolated plugin keeps its limits, and can end what a signal cannot.
    return None if plugin.worker is not None else hosting.hook_timeout


def _absent_member(
    owner: Maker | str, stack: Stack, learn: Callable[[Iterable[Secret[str]]], None] | None
) -> Member:
    """A plugin that the stack does not name: an opener, or the maker of a record of old."""
    known = dict(installed())
    name = owner if isinstance(owner, str) else owner.plugin
    hosting = hosting_for(stack, owner)
    if hosting.python is not None:
        known[name] = isolated(name, hosting)
    if name not in known:
        format_ = name.removeprefix("model-")
        opens = f" (it opens models of the format {format_!r})" if format_ != name else ""
        msg = f"{name} is not installed, and only it can answer here{opens}"
        raise PluginLoadError(msg, hint=f"pip install interlock-{name}, if that is its name")
    if stack.lock.exists():
        from interlock.plugins.pins import refuse_unlocked

        refuse_unlocked(stack, known[name], as_opener=isinstance(owner, str))
    if isinstance(owner, str):
        return _member(known[name], stack)
    from interlock.stack import recorded_settings, structure_settings
    from interlock.stack.settings import recorded_secrets

    if learn is not None:
        learn(recorded_secrets(owner.settings))
    instance = structure_settings(
        load_class(known[name]),
        recorded_settings(owner.settings),
        where=f"settings recorded for {owner}",
        origins={},
        root=stack.root,
    )
    _refuse_omissions(instance, known[name])
    return Member(
        maker=attrs.evolve(owner, version=known[name].version),
        plugin=instance,
        hook_timeout=_limit(known[name], hosting),
    )


def _project_member(path: Path, hook_timeout: float | None) -> Member:
    from interlock_hookspecs import file_digest

    module = import_project(path)
    found = [*breaches(module, None), *omissions(module, None)]
    if found:
        raise PluginLoadError("\n".join(f"{path.name}: {breach}" for breach in found))
    version = file_digest(path).removeprefix("sha256:")[:12]
    maker = Maker(plugin=PROJECT_PLUGIN, version=version)
    return Member(maker=maker, plugin=module, hook_timeout=hook_timeout)


class _Source(importlib.machinery.SourceFileLoader):
    """Loads what a file says, and never the bytecode that Python kept of it.

    Python takes kept bytecode for the file's where size and time to the second are the same. What
    is recorded is the digest of the file: it must be the file that ran.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def import_project(path: Path) -> ModuleType:
    """Import the project's module from its file, once, as the file is written now.

    Its folder goes on sys.path, so that it can import its neighbours and so that what is
    pickled by joblib's workers finds it again.

    Raises:
        PluginLoadError: there is no such file, or importing it fails.
    """
    name = f"interlock_project_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = importlib.util.spec_from_file_location(name, path, loader=_Source(name, str(path)))
    if spec is None or spec.loader is None or path.suffix != ".py" or not path.is_file():
        msg = f"[project] module: {path} is no Python file"
        raise PluginLoadError(msg)
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raised = f"{type(error).__name__}: {error}{import_place(error)}"
        msg = f"[project] module {path.name} cannot be imported: {raised}"
        raise PluginLoadError(msg) from error
    return module


def _unserved(member: Member, stack: Stack) -> list[str]:
    kinds = kinds_of(type(member.plugin))
    if kinds is None or stack.task is None or stack.task.kind in kinds:
        return []
    return [
        f"[task] kind: {member.maker} does not serve {stack.task.kind!r}, but {', '.join(kinds)}"
    ]


def _unknown(name: str, known: dict[str, Installed], stack: Stack) -> str:
    role, _, word = name.partition("-")
    origin = stack.origins.get(f"stack.{stack.name}.{role}")
    place = f"{origin}: [stack.{stack.name}] " if origin else ""
    words = [plugin.word for plugin in known.values() if plugin.role == role]
    offered = f"; installed for {role}: {', '.join(words)}" if words else ""
    return (
        f"{place}{role} = {word!r}: no such plugin is installed{nearest(word, words)}{offered}"
        f" (pip install interlock-{name}, if that is its name)"
    )
