"""What a reducer is given, what it gives, and how it reads a payload.

A payload is read strictly: a value of another type than its column is an error at the append, and
so can never make a replay differ from what was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from interlock.ids import short

Values = dict[str, Any]


class Upsert(NamedTuple):
    """Write these columns of a row, which may be new."""

    table: str
    key: Values
    values: Values


class Update(NamedTuple):
    """Write these columns of a row, if there is such a row."""

    table: str
    key: Values
    values: Values


class Replace(NamedTuple):
    """Write these rows instead of all that have this part of the key."""

    table: str
    group: Values
    rows: list[Values]


Change = Upsert | Update | Replace


class Happened(NamedTuple):
    """What a reducer sees of an event.

    Attributes:
        kind, at, actor, subject, run: as in its header; actor is the subject's name alone.
        payload: as stored; empty where it was erased.
    """

    kind: str
    at: str
    actor: str
    subject: str
    run: str | None
    payload: Mapping[str, Any]


def text(values: Mapping[str, Any], name: str) -> str | None:
    """A text, or None where it is not said."""
    value = values.get(name)
    if value is None or type(value) is str:
        return value
    raise TypeError(f"{name} is {type(value).__name__}: expected a text")


def count(values: Mapping[str, Any], name: str) -> int | None:
    """A whole number, or None where it is not said."""
    value = values.get(name)
    if value is None or type(value) is int:
        return value
    raise TypeError(f"{name} is {type(value).__name__}: expected an int")


def number(values: Mapping[str, Any], name: str) -> float | None:
    """A number as a float, or None where it is not said."""
    value = values.get(name)
    if value is None or type(value) in (int, float):
        return None if value is None else float(value)
    raise TypeError(f"{name} is {type(value).__name__}: expected a number")


def record_in(values: Mapping[str, Any], name: str = "record") -> Mapping[str, Any]:
    """The record under a name, empty where it is not said."""
    value = values.get(name)
    if value is None or isinstance(value, dict):
        return value or {}
    raise TypeError(f"{name} is {type(value).__name__}: expected a record")


def records(values: Mapping[str, Any], name: str) -> list[Any]:
    """The records under a name."""
    value = values.get(name)
    if value is None or (isinstance(value, list) and all(isinstance(one, dict) for one in value)):
        return value or []
    raise TypeError(f"{name}: expected a list of records")


def json_text(value: Any) -> str | None:
    """Canonical JSON, as a column holds it: a part of a payload is as canonical as the whole."""
    return None if value is None else orjson.dumps(value).decode()


def texts(values: Mapping[str, Any], *names: str) -> Values:
    """Texts, by their names."""
    return {name: text(values, name) for name in names}


def maker_of(record: Mapping[str, Any]) -> tuple[str | None, str]:
    """The maker's name and version, and its word: what stands before a check's name in a key."""
    maker = record_in(record, "maker")
    plugin = text(maker, "plugin")
    if plugin is None:
        return None, ""
    _, dash, word = plugin.partition("-")
    return f"{plugin} {text(maker, 'version')}", word if dash else plugin


def listed(table: str, event: Happened, values: Values) -> Upsert:
    """The row of a thing with an id."""
    return Upsert(table, {"id": event.subject}, {"short": short(event.subject), **values})


def of_run(event: Happened, **values: Any) -> tuple[Change, ...]:
    """What the event changes in the row of its run, if it has one."""
    return (Update("runs", {"id": event.run}, values),) if event.run else ()
