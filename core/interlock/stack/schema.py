"""The JSON Schema of the stack file, with the installed plugins' settings, for editors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs

from interlock.stack.fields import BOUND, MODEL, POLICY, PROJECT, TASK, WORD, Keys, stack_keys
from interlock.stack.hosting import HOSTING
from interlock.stack.rollout import ROLLOUT, ROLLOUT_BOUND
from interlock.stack.structure import admits_secret, inner_of, members_of, settable
from interlock_hookspecs import ROLES, Facts, Secret, type_hints

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {
    "type": "string",
    "pattern": r"\$\{[A-Za-z_]",
    "description": "from the environment, never printed, never recorded",
}
_PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def stack_schema(plugin_classes: Mapping[str, type[Any] | None]) -> dict[str, Any]:
    """The schema of a stack file (JSON Schema, draft 2020-12).

    Args:
        plugin_classes: the installed plugins' classes by plugin name, ``<role>-<word>``; None for
            one that does not load, whose settings may be anything.

    >>> stack_schema({})["properties"]["task"]["required"]
    ['dataset']
    """
    paths = {"type": "string", "minLength": 1}
    bound = {
        "anyOf": [
            paths,
            _table(BOUND),
            {"type": "array", "items": {"anyOf": [paths, _table(BOUND)]}, "minItems": 1},
        ]
    }
    policy = _table(POLICY)
    policy["properties"]["bounds"] = {
        "type": "object",
        "description": 'limits on checks, as "metrics.roc_auc" = ">= 0.85"',
        "propertyNames": {"pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]*\.\S"},
        "additionalProperties": bound,
    }
    return {
        "$schema": _DIALECT,
        "title": "Interlock stack file",
        "type": "object",
        "properties": {
            "include": {
                "description": "stack files to start from: paths, or package:NAME/FILE",
                "anyOf": [paths, {"type": "array", "items": paths}],
            },
            "project": _table(PROJECT),
            "model": _table(MODEL),
            "task": _table(TASK),
            "policy": policy,
            "stack": {
                "type": "object",
                "propertyNames": {"pattern": f"^{WORD}$"},
                "additionalProperties": _stack(plugin_classes),
            },
        },
        "additionalProperties": False,
    }


def _stack(plugin_classes: Mapping[str, type[Any] | None]) -> dict[str, Any]:
    schema = _table(stack_keys())
    schema["properties"]["rollout"] = _rollout()
    for name, cls in plugin_classes.items():
        if cls is None:
            schema["properties"][name] = {**_table(HOSTING), "additionalProperties": True}
            continue
        # Settings may be spread over a stack and the one that it extends: none is required here.
        settings = _record(cls, partial=True)
        settings["properties"] |= _table(HOSTING)["properties"]
        schema["properties"][name] = settings
    # A plugin of another environment: only that one knows its settings.
    elsewhere = {**_table(HOSTING), "additionalProperties": True, "required": ["python"]}
    here = "|".join(map(re.escape, plugin_classes))
    there = f"^(?!({here})$)({'|'.join(ROLES)})-{WORD}$"
    return {**schema, "patternProperties": {there: elsewhere}}


def _rollout() -> dict[str, Any]:
    """Parts of it may be said by the stack that this one extends: none is required here."""
    schema = _table(ROLLOUT)
    del schema["required"]
    schema["description"] = "how a new release takes over the endpoint"
    schema["properties"]["bounds"] = {
        "type": "object",
        "description": 'limits on what is seen of it, as "rollout.error_rate" = "<= 0.01"',
        "propertyNames": {"pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]*\.\S"},
        "additionalProperties": {
            "anyOf": [{"type": "string", "minLength": 1}, _table(ROLLOUT_BOUND)]
        },
    }
    return schema


def _table(keys: Keys) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: {**key.kind.schema, "description": key.doc} for name, key in keys.items()
        },
        "additionalProperties": False,
    }
    required = [name for name, key in keys.items() if key.required]
    return {**schema, "required": required} if required else schema


def _record(cls: type[Any], *, partial: bool = False) -> dict[str, Any]:
    hints = type_hints(cls)
    properties, required = {}, []
    for name, field in settable(cls).items():
        schema = _type(hints.get(field.name, Any))
        if field.metadata.get("doc"):
            schema["description"] = field.metadata["doc"]
        default = _default(field.default)
        if default is not None:
            schema["default"] = default
        elif field.default is attrs.NOTHING and not partial:
            required.append(name)
        properties[name] = schema
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    doc = (cls.__doc__ or "").strip().split("\n")[0]
    if doc:
        schema["description"] = doc
    return {**schema, "required": required} if required else schema


def _type(kind: Any) -> dict[str, Any]:
    options: list[dict[str, Any]] = []
    for member in members_of(kind):
        if member is type(None):
            continue
        is_secret = member is Secret or get_origin(member) is Secret
        # A key that takes only a secret takes only a reference to it.
        option = _REFERENCE if is_secret and inner_of(member) is not Any else _single(member)
        if option not in options:
            options.append(option)
    if admits_secret(kind) and {"type": "string"} in options:
        # Plain text allows every reference already.
        options.remove(_REFERENCE)
    return dict(options[0]) if len(options) == 1 else {"anyOf": options}


def _single(kind: Any) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        count = len(arguments)
        items = [_type(part) for part in arguments]
        return {"type": "array", "prefixItems": items, "minItems": count, "maxItems": count}
    if origin in (tuple, list, frozenset) or kind in (tuple, list):
        return {"type": "array", **({"items": _type(arguments[0])} if arguments else {})}
    if kind is Facts:
        return {"type": "object", "additionalProperties": {"type": list(_SCALARS)}}
    if isinstance(kind, type) and attrs.has(kind):
        return _record(kind)
    container = origin or kind
    if isinstance(container, type) and issubclass(container, Mapping):
        inner = _type(arguments[1]) if arguments else {}
        return {"type": "object", "additionalProperties": inner}
    return {}


_SCALARS = ("string", "integer", "number", "boolean")


def _default(value: Any) -> Any:
    """A default as JSON, or None where there is none to show."""
    match value:
        case Secret() | None:
            return None
        case str() | bool() | int() | float():
            return value
        case tuple() | list():
            return [_default(item) for item in value]
        case Path():
            return value.as_posix()
    return None
