"""Whether a plugin keeps to the contract's form: each breach in one line, before anything runs.

Core refuses to load one that does not, and the conformance suites hold it to the same.
"""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from interlock_hookspecs import (
    CONTRACT_VERSION,
    PROJECT,
    Spec,
    compatible,
    contract_of,
    left_out,
    removed_specs,
    specs,
    type_hints,
)

_MARK = f"{PROJECT}_impl"


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


@functools.cache
def contract() -> Mapping[str, Spec]:
    """Every hook of the contract by name."""
    return specs()


def implementations(plugin: Any) -> dict[str, Callable[..., Any]]:
    """The hook implementations of a plugin, a class or a module: what ``@hookimpl`` marks."""
    found = {}
    for name in dir(plugin):
        value = inspect.getattr_static(plugin, name, None)
        value = getattr(value, "__func__", value)
        if callable(value) and getattr(value, _MARK, None) is not None:
            found[name] = value
    return found


def _mismarked(plugin: Any) -> Iterator[str]:
    """The methods whose mark nobody finds: it is on the descriptor, and not on its function."""
    for name in dir(plugin):
        value = inspect.getattr_static(plugin, name, None)
        within = getattr(value, "__func__", None)
        if hasattr(value, _MARK) and within is not None and not hasattr(within, _MARK):
            yield f"hook {name} is a {type(value).__name__}: make it a plain method"


def breaches(plugin: Any, role: str | None) -> Iterator[str]:
    """What is wrong with a plugin's form.

    Args:
        plugin: a class decorated with ``@plugin``, or a project's module.
        role: the role that it was installed for; None for a project's module, which has none.
    """
    if role is not None and not isinstance(plugin, type):
        yield f"it is a {type(plugin).__name__} and no class: let the entry point name the class"
        return
    if role is not None:
        yield from _contract_breaches(plugin)
    yield from _mismarked(plugin)
    found = implementations(plugin)
    for name, function in found.items():
        yield from _hook_breaches(name, function)
    if role is not None:
        yield from _role_breaches(role, set(found))


def omissions(instance: Any, role: str | None) -> Iterator[str]:
    """What is wrong with the hooks that a plugin leaves out as it is configured, each in a line.

    Args:
        instance: whose class keeps to the form.
        role: the role that it was installed for; None for a project's module.
    """
    try:
        without = left_out(instance)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a property may do anything: the plugin is named)
        yield f"what it leaves out is not told: {type(error).__name__}: {error}"
        return
    found = set(implementations(type(instance) if role is not None else instance))
    for name in sorted(without - found):
        yield f"it leaves out {name!r}, which it does not implement{nearest(name, found)}"
    if without & found and role is not None:
        for breach in _role_breaches(role, found - without):
            yield f"as it is configured: {breach}"


def import_place(error: BaseException) -> str:
    """Where a module that was imported raised, behind what it raised; nothing where none did."""
    frames = traceback.walk_tb(error.__traceback__)
    found = [
        (Path(frame.f_code.co_filename).name, line)
        for frame, line in frames
        if frame.f_code.co_name == "<module>"
    ]
    return f" ({found[-1][0]}, line {found[-1][1]})" if found else ""


def deprecations(plugin: Any) -> Iterator[str]:
    """What a plugin uses of the contract that goes away, each in a line."""
    for own, function in implementations(plugin).items():
        spec = contract().get(getattr(function, _MARK).get("specname") or own)
        if spec is not None:
            yield from spec.ending(function)


def _contract_breaches(plugin: Any) -> Iterator[str]:
    stated = contract_of(plugin)
    if stated is None:
        yield 'it is no plugin: decorate the class with @plugin(contract="1.0")'
    elif not compatible(stated):
        yield (
            f"it was written for contract {stated}, this is {CONTRACT_VERSION}: "
            "install a version of it for this contract"
        )
    elif attrs.has(plugin):
        try:
            type_hints(plugin)
        except Exception as error:  # noqa: BLE001  (an annotation may be anything)
            yield (
                f"its settings' annotations cannot be read ({error}): import what they name "
                "where the module is run, and not for type checking alone"
            )


def _hook_breaches(name: str, function: Callable[..., Any]) -> Iterator[str]:
    options = getattr(function, _MARK)
    name = options.get("specname") or name
    spec = contract().get(name)
    gone = removed_specs().get(name) if spec is None else None
    if gone is not None:
        yield f"hook {name} was {gone.deprecated}"
        return
    if spec is None:
        yield f"the contract has no hook {name!r}{nearest(name, contract())}"
        return
    for option in ("wrapper", "hookwrapper", "tryfirst", "trylast"):
        if options.get(option):
            yield f"hook {name} asks for {option}: order is the stack's, and hooks are not wrapped"
    if inspect.isgeneratorfunction(function):
        yield f"hook {name} is a generator: return the list itself"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"hook {name} is asynchronous, and nobody awaits it: write it with a plain def"
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != "self":
            yield from _parameter_breaches(name, spec, parameter)


def _parameter_breaches(name: str, spec: Spec, parameter: inspect.Parameter) -> Iterator[str]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        yield f"hook {name} takes {parameter}: name the arguments that it uses"
    elif parameter.kind is parameter.KEYWORD_ONLY:
        yield f"hook {name} takes {parameter.name!r} by keyword only: take it plainly"
    elif parameter.name in spec.arguments and parameter.name not in spec.parameters:
        yield (
            f"hook {name} wants the argument {parameter.name!r}, which was "
            f"{spec.arguments[parameter.name]}"
        )
    elif parameter.name not in spec.parameters:
        known = f"; it has {', '.join(spec.parameters)}"
        yield (
            f"hook {name} wants the argument {parameter.name!r}, which the contract lacks"
            f"{nearest(parameter.name, spec.parameters) or known}"
        )
    elif parameter.default is not parameter.empty:
        yield f"hook {name} gives {parameter.name!r} a default, which the contract lacks"


def _role_breaches(role: str, found: set[str]) -> Iterator[str]:
    own = [spec for spec in contract().values() if role in spec.roles]
    stand_ins = {spec.instead: spec.name for spec in own if spec.instead and spec.name in found}
    for spec in own:
        if spec.required and not spec.instead and spec.name not in found | set(stand_ins):
            instead = [other.name for other in own if other.instead == spec.name]
            also = f" or {instead[0]}" if instead else ""
            yield f"the role {role} requires the hook {spec.name}{also}"
    if not found & {spec.name for spec in own}:
        names = ", ".join(spec.name for spec in own)
        yield f"it implements no hook of the role {role}: {names}"
