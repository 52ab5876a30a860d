"""The type of a setting, told to a process that cannot import the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from interlock_hookspecs import Facts, Secret, Unsupported, type_hints
from interlock_worker.untyped import alternatives, dump_untyped, load_untyped

_NAMED: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "path": Path,
    "none": NoneType,
    "facts": Facts,
    "list": list,
    "tuple": tuple,
    "mapping": dict,
}
_NAMES = {kind: name for name, kind in _NAMED.items()}


@attrs.frozen
class TheirDefault:
    """A default that only the plugin's own process can give."""

    def __str__(self) -> str:
        return "(its own)"


THEIRS = TheirDefault()


def kind_text(kind: Any) -> Any:
    """A type as JSON values; ``any`` for one that has no other name here."""
    members = alternatives(kind)
    if len(members) > 1:
        return ["union", *(kind_text(member) for member in members)]
    (kind,) = members
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Secret or origin is Secret:
        return ["secret", kind_text(arguments[0] if arguments else str)]
    if origin is Literal:
        return ["literal", *arguments]
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return ["pair", *(kind_text(part) for part in arguments)]
    if origin in (tuple, list, frozenset, set):
        return [origin.__name__, kind_text(arguments[0])]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return ["mapping", *(kind_text(part) for part in arguments)]
    if isinstance(kind, type) and attrs.has(kind):
        return ["class", kind.__name__, kind.__doc__ or "", fields_text(kind)]
    return _NAMES.get(kind, "any")


def kind_from(text: Any) -> Any:
    """The type again; a class of the plugin's own as one with the same settings."""
    if isinstance(text, str):
        return _NAMED.get(text, Any)
    word, *parts = text
    if word == "literal":
        return Literal[tuple(parts)]
    if word == "class":
        name, doc, fields = parts
        return class_from(name, doc, fields)
    kinds = tuple(kind_from(part) for part in parts)
    if word == "tuple":
        kinds = (*kinds, ...)
    return _GENERIC[word][kinds]


_GENERIC: Mapping[str, Any] = {
    "union": Union,
    "secret": Secret,
    "tuple": tuple,
    "pair": tuple,
    "mapping": Mapping,
    "list": list,
    "frozenset": frozenset,
    "set": set,
}


def fields_text(cls: type[Any]) -> list[dict[str, Any]]:
    """What the constructor of an attrs class takes, as JSON values."""
    hints = type_hints(cls)
    return [
        {
            "name": field.name,
            "alias": field.alias,
            "kind": kind_text(hints.get(field.name, Any)),
            "default": _default_text(field.default),
            "doc": field.metadata.get("doc"),
            "root": field.metadata.get("interlock") == "root",
            "checked": field.validator is not None and field.converter is None,
        }
        for field in attrs.fields(cls)
        if field.init
    ]


def _default_text(default: Any) -> Any:
    """None where there is none; a list of the value where it can cross; an empty one where not."""
    if default is attrs.NOTHING:
        return None
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # attrs types it as a function
        if default.takes_self:
            return []
        default = default.factory()
    try:
        return [dump_untyped(default)]
    except Unsupported:
        return []


def default_from(text: Any) -> Any:
    """A default for attrs; `THEIRS` where only the plugin's process can give it."""
    if text is None:
        return attrs.NOTHING
    if not text:
        return THEIRS
    value = load_untyped(text[0])
    if isinstance(value, list | dict | set):
        return attrs.Factory(lambda: load_untyped(text[0]))
    return value


def class_from(name: str, doc: str, fields: list[dict[str, Any]]) -> type[Any]:
    """A class with the fields of a class of the plugin's own."""
    made = {
        field["name"]: attrs.field(
            default=default_from(field["default"]),
            alias=field["alias"],
            metadata={"doc": field["doc"]} if field["doc"] else {},
        )
        for field in fields
    }
    hints = {field["name"]: kind_from(field["kind"]) for field in fields}
    cls = type(name, (), {"__doc__": doc, "__annotations__": hints, **made})
    found: type[Any] = attrs.frozen(kw_only=True)(cls)
    return found
