"""A plugin made without a stack file: its defaults, ``key=value`` from a command, folders."""

from __future__ import annotations

import math
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from interlock_hookspecs import Secret, type_hints
from interlock_hookspecs.form import nearest

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class CannotCheckError(Exception):
    """A plugin cannot be checked as it was asked: what is wrong, and what to type instead."""


def maker(
    cls: type[Any],
    assignments: Iterable[str],
    *,
    here: Path,
    environ: Mapping[str, str] = os.environ,
) -> Callable[[Path], Any]:
    """How a plugin is made in a folder: with what was said, else its defaults.

    A value is read as a stack file writes it, and is a text where it is no TOML; ``${NAME}`` is
    taken from the environment and becomes a `Secret` where the setting admits one. A required
    path and the project's folder are folders of the test's own.

    Args:
        cls: the plugin.
        assignments: ``key=value`` each.
        here: what relative paths in them are relative to.
        environ: the environment.

    Raises:
        CannotCheckError: a setting is unknown, does not fit, or is required and missing. No value
            is repeated in the message.
    """
    fields = {field.alias: field for field in attrs.fields(cls) if field.init}
    hints = type_hints(cls)
    said = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise CannotCheckError("--set needs KEY=VALUE, a setting and what it is to be")
        if key not in fields:
            known = ", ".join(name for name, field in fields.items() if "doc" in field.metadata)
            msg = f"there is no setting {key!r}{nearest(key, fields)}; settings: {known or 'none'}"
            raise CannotCheckError(msg)
        said[key] = _read(key, text, hints[fields[key].name], environ, here)
    own = {
        alias: field
        for alias, field in fields.items()
        if alias not in said and field.metadata.get("interlock") == "root"
    }
    required = {
        alias: field
        for alias, field in fields.items()
        if alias not in said and field.default is attrs.NOTHING
    }
    folders = [alias for alias, field in required.items() if Path in _members(hints[field.name])]
    missing = [alias for alias in required if alias not in folders]
    if missing:
        lines = [f"--set {key}=...  {required[key].metadata.get('doc', '')}" for key in missing]
        raise CannotCheckError("\n".join(["these settings are required:", *lines]))

    def make(folder: Path) -> Any:
        for alias in folders:
            (folder / alias).mkdir()
        given = {alias: folder / alias for alias in folders} | dict.fromkeys(own, folder)
        return cls(**said, **given)

    return make


def _read(key: str, text: str, hint: Any, environ: Mapping[str, str], here: Path) -> Any:
    names = _VARIABLE.findall(text)
    for name in names:
        if name not in environ:
            msg = f"{key} needs the environment variable {name}, which is not set"
            raise CannotCheckError(msg)
    expanded = _VARIABLE.sub(lambda found: environ[found[1]], text)
    secret = [member for member in _members(hint) if _is_secret(member)]
    members = [member for member in _members(hint) if not _is_secret(member)]
    inner = [part for member in secret for part in _members((*get_args(member), str)[0])]
    wrapped = secret and (names or not members)
    for candidate in (_value(expanded), expanded):
        for member in inner if wrapped else members:
            try:
                fitted = _fitted(member, candidate, here)
            except (TypeError, ValueError):
                continue
            return Secret(fitted) if wrapped else fitted
    expected = " or ".join(getattr(member, "__name__", str(member)) for member in members or inner)
    raise CannotCheckError(f"{key} does not fit: expected {expected}")


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    return found["value"] if set(found) == {"value"} else text


def _fitted(kind: Any, value: Any, here: Path) -> Any:
    """A value as a type has it; TypeError where it is of another."""
    origin = get_origin(kind) or kind
    fits = type(value) is origin
    if origin is Any:
        return value
    if origin is Literal:
        fits = value in get_args(kind)
    elif origin is float:
        fits = type(value) in (int, float) and math.isfinite(value)
        value = float(value) if fits else value
    elif origin is Path:
        fits = isinstance(value, str)
        value = here / value if fits else value
    elif origin in (tuple, list, frozenset):
        fits = isinstance(value, list)
        value = origin(value) if fits else value
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        fits = isinstance(value, dict)
        value = origin(value) if fits and origin not in (Mapping, dict) else value  # type: ignore[call-arg]  # any mapping of the contract's takes one
    elif attrs.has(origin) and isinstance(value, dict):
        return origin(**value)
    if not fits:
        raise TypeError
    return value


def _members(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) is typing.Annotated:
        return _members(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(member for part in get_args(hint) for member in _members(part))
    return (hint,)


def _is_secret(kind: Any) -> bool:
    return (get_origin(kind) or kind) is Secret
