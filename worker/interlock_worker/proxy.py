"""A class that stands for a plugin of another environment: its settings, and hooks that go there.

It is an attrs class of the contract's own making, with the plugin's settings for fields and its
hooks for methods, each with the parameters that the plugin asks for. So whatever works with a
plugin works with this: the funnel, `attrs.evolve`, the conformance suites.
"""

from __future__ import annotations

import functools
import inspect
import keyword
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from interlock_hookspecs import PROJECT, plugin
from interlock_worker.errors import WorkerFailed
from interlock_worker.kinds import THEIRS, default_from, kind_from


class Hands(Protocol):
    """Who carries calls to the worker."""

    def make(self, settings: Mapping[str, Any]) -> Instance:
        """Make an instance there."""

    def check(self, name: str, value: Any) -> None:
        """Hold a value against the validator of a setting there."""

    def left_out(self, instance: Instance) -> tuple[str, ...]:
        """The hooks that an instance there does not answer as it is configured."""

    def ask(self, instance: Instance, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Ask an instance a hook."""

    def discard(self, instance: Instance) -> None:
        """Forget an instance there."""


@attrs.define(eq=False)
class Instance:
    """An instance in the worker's process, made again there after a restart.

    Attributes:
        settings: what it is made with.
        process: which process it was made in.
        number: its number there.
    """

    settings: Mapping[str, Any]
    process: object = None
    number: int = 0


def proxy_class(description: Mapping[str, Any], hands: Hands) -> type[Any]:
    """The class that stands for a described plugin.

    Raises:
        WorkerFailed: the description names what cannot be a Python name.
    """
    namespace: dict[str, Any] = {
        "__doc__": description["doc"],
        "__module__": description["module"],
        "__annotations__": {},
        "_hands": hands,
        "__attrs_post_init__": _make,
        "__reduce__": _reduce,
        "hooks_left_out": property(_left_out),
    }
    hints = namespace["__annotations__"]
    for field in description["fields"]:
        name = _identifier(field["name"])
        hints[name] = kind_from(field["kind"])
        namespace[name] = attrs.field(
            default=default_from(field["default"]),
            alias=_identifier(field["alias"]),
            validator=functools.partial(_check, hands) if field["checked"] else None,
            metadata=_metadata(field),
        )
    hints["_interlock"] = Instance
    namespace["_interlock"] = attrs.field(init=False, repr=False)
    for hook in description["hooks"]:
        namespace[_identifier(hook["name"])] = _hook(hook)
    cls = type(_identifier(description["name"]), (), namespace)
    if description["contract"] is None:
        return cls
    kinds, measures = description["kinds"], description.get("measures")
    if isinstance(measures, dict):
        measures = {kind: tuple(names) for kind, names in measures.items()}
    elif measures is not None:
        measures = tuple(measures)
    made: type[Any] = plugin(
        contract=description["contract"],
        kinds=tuple(kinds) if kinds is not None else None,
        measures=measures,
    )(cls)
    return made


def _metadata(field: Mapping[str, Any]) -> dict[str, Any]:
    if field["root"]:
        return {PROJECT: "root"}
    return {"doc": field["doc"]} if field["doc"] is not None else {}


def _settings(self: Any) -> dict[str, Any]:
    return {
        field.alias: getattr(self, field.name)
        for field in attrs.fields(type(self))
        if field.init and getattr(self, field.name) is not THEIRS
    }


def _reduce(self: Any) -> Any:
    return _again, (self._hands, _settings(self))


def _again(hands: Any, settings: Mapping[str, Any]) -> Any:
    return hands.plugin_class()(**settings)


def _make(self: Any) -> None:
    settings = _settings(self)
    self._interlock = self._hands.make(settings)
    weakref.finalize(self, self._hands.discard, self._interlock).atexit = False


def _left_out(self: Any) -> tuple[str, ...]:
    hands: Hands = self._hands
    return hands.left_out(self._interlock)


def _check(hands: Hands, instance: object, field: Any, value: Any) -> None:  # noqa: ARG001  (a validator's arguments)
    hands.check(field.alias, value)


def _identifier(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        msg = f"its worker describes {name!r}, which is no name"
        raise WorkerFailed(msg)
    return name


def _hook(hook: Mapping[str, Any]) -> Callable[..., Any]:
    """A method with the parameters that the plugin's own has.

    pluggy reads them off the code object, so they must really be there.
    """
    kinds = inspect._ParameterKind  # noqa: SLF001  (the enumeration has no public name)
    parameters = [inspect.Parameter("self", kinds.POSITIONAL_OR_KEYWORD)]
    for name, kind, optional in hook["parameters"]:
        default = None if optional else inspect.Parameter.empty
        parameters.append(inspect.Parameter(_identifier(name), kinds(kind), default=default))
    given = ", ".join(f"{name!r}: {name}" for name, _, _ in hook["parameters"])
    body = f"return self._hands.ask(self._interlock, {hook['name']!r}, {{{given}}})"
    if hook["generator"]:
        body = "yield"
    source = f"def {_identifier(hook['name'])}{inspect.Signature(parameters)}:\n    {body}\n"
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<hook {hook['name']}>", "exec"), namespace)  # noqa: S102  (every name in it was checked)
    function: Callable[..., Any] = namespace[hook["name"]]
    setattr(function, f"{PROJECT}_impl", dict(hook["options"]))
    return function
