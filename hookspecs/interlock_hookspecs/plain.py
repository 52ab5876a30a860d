"""Records as plain JSON values and back, for a backend that keeps them as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs

from interlock_hookspecs.errors import InvalidInput
from interlock_hookspecs.types import type_hints
from interlock_hookspecs.values import Facts

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """A record, or what a record holds, as values that ``json.dumps`` takes.

    A tuple becomes a list, a time its ISO 8601 text. A record that holds a table is none.

    Raises:
        TypeError: a value has no plain form.

    >>> from interlock_hookspecs import Artifact
    >>> to_plain(Artifact(digest="sha256:" + "0" * 64, size=9, name="model.skops"))["size"]
    9
    """
    if attrs.has(type(value)):
        return {
            field.name: to_plain(getattr(value, field.name)) for field in attrs.fields(type(value))
        }
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no plain form")


def from_plain(kind: type[T], value: Any) -> T:
    """The record that `to_plain` was given.

    A field that is not said takes its default: an older contract lacked it.

    Raises:
        InvalidInput: a field is unknown here: a newer contract wrote it.
        TypeError, ValueError: the values are not such a record.

    >>> from interlock_hookspecs import Field
    >>> from_plain(Field, to_plain(Field(name="age", type="int64"))).name
    'age'
    """
    return _read(kind, value)  # type: ignore[no-any-return]  # it is built by its own annotations


def _read(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        members = get_args(kind)
        if value is None and NoneType in members:
            return None
        # Of what a record holds, only scalars are alternatives of each other.
        records = [member for member in members if _is_built(member)]
        return _read(records[0], value) if records else value
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in value)
    if kind is Facts:
        return Facts(value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    return _record(kind, value) if isinstance(kind, type) and attrs.has(kind) else value


def _is_built(kind: Any) -> bool:
    return get_origin(kind) is tuple or kind in (Facts, datetime) or attrs.has(kind)


def _record(kind: type[Any], value: Mapping[str, Any]) -> Any:
    hints = type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise InvalidInput(
            f"a {kind.__name__} has no {unknown[0]!r} here: a newer contract wrote it; "
            "upgrade interlock-hookspecs"
        )
    return kind(**{name: _read(hints[name], item) for name, item in value.items()})
