"""Values whose type nobody declared: settings, and attributes of the project's module.

What crosses are plain values, containers of them, paths, times, secrets and the contract's
records. A function, a fitted object or any other living thing does not: there is no way to take it
along that would not run code out of the other process.
"""

from __future__ import annotations

import functools
import math
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import attrs

import interlock_hookspecs
from interlock_hookspecs import Facts, Secret, Unsupported, reveal, type_hints
from interlock_worker.codec import decode, encode

_TAG = "~"


@attrs.frozen
class Parts:
    """The settings of a class of the plugin's own, by name, until the class is at hand."""

    values: Mapping[str, Any]


def dump_untyped(value: Any) -> Any:
    """A value as JSON values.

    Raises:
        Unsupported: it holds something that cannot cross to another process.
    """
    kind: type[Any] = Path if isinstance(value, Path) else type(value)
    if value is None or kind in (str, int, bool) or (kind is float and math.isfinite(value)):
        return value
    if kind is list:
        return _each(value)
    if kind in _TAGGED:
        tag, told = _TAGGED[kind]
        return {_TAG: tag, "is": told(value)}
    if isinstance(value, Mapping) and all(type(key) is str for key in value):
        items = {key: dump_untyped(item) for key, item in value.items()}
        return {_TAG: "map", "is": items} if _TAG in items else items
    if attrs.has(kind):
        return _record(value)
    msg = f"a value of type {kind.__module__}.{kind.__qualname__} cannot cross to another process"
    raise Unsupported(msg)


def load_untyped(value: Any) -> Any:
    """The value again. What a class of the plugin's own was made of comes as `Parts`.

    >>> load_untyped(dump_untyped({"a": (1, 2.5), "b": Path("x")}))
    {'a': (1, 2.5), 'b': PosixPath('x')}
    """
    if isinstance(value, list):
        return [load_untyped(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return _items(value)
    if tag == "record":
        return decode(getattr(interlock_hookspecs, value["of"]), value["is"])
    return _READ[tag](value["is"])


def _each(values: Iterable[Any]) -> list[Any]:
    return [dump_untyped(item) for item in values]


def _items(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: load_untyped(item) for key, item in values.items()}


def _record(value: Any) -> Any:
    kind = type(value)
    if getattr(interlock_hookspecs, kind.__name__, None) is kind:
        return {_TAG: "record", "of": kind.__name__, "is": encode(value)}
    parts = {
        field.alias: dump_untyped(getattr(value, field.name))
        for field in attrs.fields(kind)
        if field.init
    }
    return {_TAG: "parts", "is": parts}


_TAGGED: Mapping[type[Any], tuple[str, Callable[[Any], Any]]] = {
    float: ("float", repr),
    tuple: ("tuple", _each),
    set: ("set", _each),
    frozenset: ("frozenset", _each),
    Facts: ("facts", dict),
    Secret: ("secret", lambda secret: dump_untyped(reveal(secret))),
    Path: ("path", str),
    datetime: ("time", datetime.isoformat),
}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "float": float,
    "tuple": lambda items: tuple(map(load_untyped, items)),
    "set": lambda items: set(map(load_untyped, items)),
    "frozenset": lambda items: frozenset(map(load_untyped, items)),
    "facts": Facts,
    "secret": lambda inner: Secret(load_untyped(inner)),
    "path": Path,
    "time": datetime.fromisoformat,
    "map": _items,
    "parts": lambda inner: Parts(_items(inner)),
}


def fitted(kind: Any, value: Any) -> Any:
    """A value with its `Parts` made into the classes that a type names.

    Args:
        kind: the type of the setting, in the process that has the plugin.
        value: what `load_untyped` gave.
    """
    if isinstance(value, Parts):
        cls = _class_for(kind, value.values)
        hints = type_hints(cls)
        names = {field.alias: field.name for field in attrs.fields(cls)}
        said = value.values.items()
        return cls(**{key: fitted(hints.get(names[key], Any), item) for key, item in said})
    if isinstance(value, Secret):
        return Secret(fitted(kind, reveal(value)))
    if isinstance(value, tuple | list | frozenset | set):
        inner = _arguments(kind, (tuple, list, frozenset, set))
        return type(value)(fitted(inner, item) for item in value)
    if isinstance(value, dict):
        inner = _arguments(kind, (dict, Mapping))
        return {key: fitted(inner, item) for key, item in value.items()}
    return value


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The members of a union, or the type itself."""
    origin = get_origin(kind)
    if origin is typing.Annotated:
        return alternatives(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return tuple(member for part in get_args(kind) for member in alternatives(part))
    return (kind,)


def _arguments(kind: Any, containers: tuple[Any, ...]) -> Any:
    """What the items of a container may be: a union of the last arguments of those that fit."""
    found = [
        part
        for member in alternatives(kind)
        if isinstance(get_origin(member), type) and issubclass(get_origin(member), containers)
        for part in get_args(member)
        if part is not Ellipsis
    ]
    return functools.reduce(operator.or_, found) if found else Any


def _class_for(kind: Any, values: Mapping[str, Any]) -> Any:
    for member in alternatives(kind):
        known = isinstance(member, type) and attrs.has(member)
        if known and {field.alias for field in attrs.fields(member)} >= set(values):
            return member
    msg = f"no class of {kind} has the settings {', '.join(values)}"
    raise TypeError(msg)
