"""A value of a TOML file into the type of an attrs field: strict, and silent about secrets.

Written out rather than handed to cattrs: cattrs coerces by default, needs a hook for nearly every
type below to be strict, and puts values into its messages, where a secret must not be.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from interlock.stack.problems import nearest, shown
from interlock_hookspecs import Facts, Secret, reveal, type_hints

_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
}


class MisfitError(ValueError):
    """A value that does not fit its type.

    Attributes:
        found: each misfit, as the keys inside the setting that lead to it, and what is wrong.
    """

    def __init__(self, *found: tuple[tuple[str, ...], str]) -> None:
        super().__init__("; ".join(message for _, message in found))
        self.found = found


def misfit(message: str, *path: str) -> MisfitError:
    """One misfit."""
    return MisfitError((path, message))


def settable(cls: type[Any]) -> dict[str, Any]:
    """The attrs fields of a class that may be said, by the name a stack file uses."""
    return {field.alias: field for field in attrs.fields(cls) if field.init and not is_root(field)}


def is_root(field: Any) -> bool:
    """Whether a field is given the project's folder: `interlock_hookspecs.project_root`."""
    return bool(field.metadata.get("interlock") == "root")


def structure(kind: Any, value: Any) -> Any:
    """A value as a type has it.

    Raises:
        MisfitError: it does not fit. The message shows no value of a field that admits a secret.

    >>> structure(float, 1), structure(tuple[str, ...], ["a"])
    (1.0, ('a',))
    >>> structure(int | Secret[int], Secret("8080")).reveal()
    8080
    """
    if isinstance(value, Secret):
        return _structure_secret(kind, value)
    # TOML has no null: that a field may be None says nothing about what a file may say.
    aside = type(None)
    members = [part for part in members_of(kind) if part is not aside and not _is_secret(part)]
    if not members:
        msg = "is a secret, and is not written in a file: write ${NAME}, and set that variable"
        raise misfit(msg)
    fitting = [member for member in members if _shape_fits(member, value)]
    if not fitting:
        expected = " or ".join(dict.fromkeys(words_for(member) for member in members))
        found = "something else" if admits_secret(kind) else shown(value)
        msg = f"expected {expected}, found {found}"
        raise misfit(msg)
    # The exact type first: 1 stays an integer where int | float takes both.
    exact = [member for member in fitting if type(value) is member]
    misfits: list[MisfitError] = []
    for member in exact or fitting:
        try:
            return _as(member, value)
        except MisfitError as error:
            misfits.append(error)
    raise misfits[0]


def members_of(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the type itself."""
    origin = get_origin(kind)
    if origin is typing.Annotated:
        return members_of(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return tuple(member for part in get_args(kind) for member in members_of(part))
    return (kind,)


def admits_secret(kind: Any) -> bool:
    """Whether a field of this type takes ``${NAME}``."""
    return any(_is_secret(member) for member in members_of(kind))


def inner_of(secret: Any) -> Any:
    """The type inside ``Secret[...]``; str where none is said."""
    arguments = get_args(secret)
    return arguments[0] if arguments else str


def words_for(kind: Any) -> str:
    """A type as a message names it."""
    origin = get_origin(kind)
    if kind in _WORDS:
        return _WORDS[kind]
    if origin is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if origin in (tuple, list, frozenset) or kind in (tuple, list):
        return "a list"
    return "a table" if _is_table(kind) else "any value" if kind is Any else str(kind)


def _is_secret(kind: Any) -> bool:
    return kind is Secret or get_origin(kind) is Secret


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return kind is Facts or (isinstance(origin, type) and issubclass(origin, Mapping))


def _is_table(kind: Any) -> bool:
    return _is_mapping(kind) or (isinstance(kind, type) and attrs.has(kind))


def _shape_fits(kind: Any, value: Any) -> bool:
    origin = get_origin(kind)
    if kind is Any:
        return True
    if origin is Literal:
        return any(type(choice) is type(value) and choice == value for choice in get_args(kind))
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is Path:
        return isinstance(value, str)
    if kind in (str, int, bool):
        return type(value) is kind
    if origin in (tuple, list, frozenset) or kind in (tuple, list):
        return isinstance(value, list | tuple)
    return _is_table(kind) and isinstance(value, Mapping)


def _as(kind: Any, value: Any) -> Any:
    """A value of the right shape as its type, its parts structured too."""
    if kind is float:
        return float(value)
    if kind is Path:
        return Path(value)
    if isinstance(value, list | tuple):
        return _as_sequence(kind, value)
    if isinstance(value, Mapping) and kind is not Any:
        return _as_table(kind, value)
    return value


def _as_sequence(kind: Any, value: Any) -> Any:
    arguments = get_args(kind)
    kinds: Iterable[Any] = repeat(arguments[0] if arguments else Any, len(value))
    if get_origin(kind) is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(arguments) != len(value):
            msg = f"expected a list of {len(arguments)}, found a list of {len(value)}"
            raise misfit(msg)
        kinds = arguments
    items = _parts(
        (str(place), part, item)
        for place, (part, item) in enumerate(zip(kinds, value, strict=True))
    )
    return value if kind is Any else (get_origin(kind) or kind)(items.values())


def _as_table(kind: Any, value: Mapping[str, Any]) -> Any:
    if kind is Facts:
        return _made(Facts, value, value)
    if _is_mapping(kind):
        part = (*get_args(kind), Any, Any)[1]
        return _parts((key, part, item) for key, item in value.items())
    hints, fields = type_hints(kind), settable(kind)
    wrong = []
    for key in value:
        if key not in fields:
            known = nearest(key, fields) or f"; known: {', '.join(fields)}"
            wrong.append(((key,), f"unknown key{known}"))
    for key, field in fields.items():
        if key not in value and field.default is attrs.NOTHING:
            wrong.append(((key,), "is missing"))
    said = [(key, hints.get(fields[key].name, Any), value[key]) for key in value if key in fields]
    return _made(kind, _parts(said, wrong), value)


def _parts(
    parts: Iterable[tuple[str, Any, Any]], wrong: Iterable[tuple[tuple[str, ...], str]] = ()
) -> dict[str, Any]:
    """Each part of a table or list as its type, by key.

    Raises:
        MisfitError: parts do not fit: all of them, after what was wrong before.
    """
    made, found = {}, list(wrong)
    for key, kind, value in parts:
        try:
            made[key] = structure(kind, value)
        except MisfitError as error:
            found += [((key, *path), message) for path, message in error.found]
    if found:
        raise MisfitError(*found)
    return made


def _made(kind: Any, values: Mapping[str, Any], said: Any) -> Any:
    try:
        return Facts(values) if kind is Facts else kind(**values)
    except Exception as error:  # noqa: BLE001  (a plugin's own class may raise anything)
        wrong = complaint(error, said)
    raise misfit(wrong)


def complaint(error: BaseException, said: Any) -> str:
    """The first line of what a plugin's code raised, withheld where a secret could be in it.

    Args:
        error: what it raised.
        said: the values that it was given, as the stack has them.
    """
    if holds_secret(said):
        return f"the plugin refuses it, a secret being in it ({type(error).__name__})"
    if isinstance(error, SystemExit):
        return f"the plugin ends the process instead (SystemExit: {error})"
    # attrs' validators raise with the attribute and the value beside the message.
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return text.strip().split("\n")[0] or type(error).__name__


def holds_secret(value: Any) -> bool:
    """Whether a value of a stack has a secret anywhere in it."""
    if isinstance(value, Mapping):
        return any(holds_secret(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_secret(item) for item in value)
    return isinstance(value, Secret)


def _structure_secret(kind: Any, value: Secret[str]) -> Any:
    if kind is Any:
        return value
    wrapped = [member for member in members_of(kind) if _is_secret(member)]
    if not wrapped:
        msg = "takes no ${...}: this plugin shows and records the value; write it out"
        raise misfit(msg)
    inner = [part for member in wrapped for part in members_of(inner_of(member))]
    for part in inner:
        parsed = _parsed(part, reveal(value))
        if parsed is not None:
            return Secret(parsed)
    expected = " or ".join(words_for(part) for part in inner)
    msg = f"expected {expected}; the text from the environment is something else"
    raise misfit(msg)


def _parsed(kind: Any, text: str) -> Any:
    """A text from the environment as a type; None where it is no such value."""
    try:
        if kind is int:
            return int(text)
        if kind is float:
            number = float(text)
            return number if math.isfinite(number) else None
    except ValueError:
        return None
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip().lower())
    if kind is Path:
        return Path(text)
    if get_origin(kind) is Literal:
        return text if text in get_args(kind) else None
    return text if kind in (str, Any) else None
