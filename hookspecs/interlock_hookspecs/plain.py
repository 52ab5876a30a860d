"""Records as plain JSON values and back, for a backend that keeps them as text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
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
    wanted: Any = kind
    read = _reader(wanted)
    return value if read is None else read(value)  # type: ignore[no-any-return]  # it is built by its own annotations


_Read = Callable[[Any], Any]


@functools.cache
def _reader(kind: Any) -> _Read | None:
    """What makes a plain value one of this kind; None where it is one already."""
    if get_origin(kind) in (Union, UnionType):
        members = get_args(kind)
        # Of what a record holds, only scalars are alternatives of each other.
        built = next((member for member in members if _is_built(member)), None)
        if built is None:
            return None
        read = _reader(built)
        if read is None or NoneType not in members:
            return read
        return functools.partial(_optional, read)
    if get_origin(kind) is tuple:
        read = _reader(get_args(kind)[0])
        return tuple if read is None else functools.partial(_tuple, read)
    if kind is Facts:
        return Facts
    if kind is datetime:
        return datetime.fromisoformat
    return functools.partial(_record, kind) if _is_record(kind) else None


def _is_built(kind: Any) -> bool:
    return get_origin(kind) is tuple or kind in (Facts, datetime) or _is_record(kind)


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and attrs.has(kind)


def _optional(read: _Read, value: Any) -> Any:
    return None if value is None else read(value)


def _tuple(read: _Read, value: Any) -> tuple[Any, ...]:
    return tuple(map(read, value))


def _record(kind: Any, value: Mapping[str, Any]) -> Any:
    fields = _fields(kind)
    if not value.keys() <= fields.keys():
        unknown = sorted(set(value) - set(fields))
        raise InvalidInput(
            f"a {kind.__name__} has no {unknown[0]!r} here: a newer contract wrote it; "
            "upgrade interlock-hookspecs"
        )
    known = {}
    for name, item in value.items():
        read = fields[name]
        known[name] = item if read is None else read(item)
    return kind(**known)


@functools.cache
def _fields(kind: Any) -> Mapping[str, _Read | None]:
    """The reader of each field: annotations are resolved once, which costs more than reading."""
    return {name: _reader(hint) for name, hint in type_hints(kind).items()}
