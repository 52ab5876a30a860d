"""What a reducer is given, what it writes to, and how it reads a payload.

What becomes a column is handed on as the payload has it: who writes to the tables refuses a value
of another type than its column, at the append, so it can never make a replay differ from what was
written. What a reducer puts together is checked here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import orjson

from interlock.ids import short

Key = tuple[Any, ...]
Values = dict[str, Any]


class Writer(Protocol):
    """What a reducer tells its changes to: the tables, or a replay's memory of them.

    A key is the values of the table's key in order, the project left out.
    """

    def upsert(self, table: str, key: Key, values: Values) -> None:
        """Write these columns of a row, which may be new."""

    def update(self, table: str, key: Key, values: Values) -> None:
        """Write these columns of a row, if there is such a row."""

    def replace(self, table: str, group: Key, rows: list[Values]) -> None:
        """Write these rows, numbered, instead of all whose key begins so; each has all columns."""


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


Reducer = Callable[[Happened, Writer], None]
"""Tells a writer what an event changes.

Raises TypeError where the payload holds another type of value than it reads.
"""


def text(value: Any) -> str | None:
    """A text, or None."""
    if value is None or type(value) is str:
        return value
    raise TypeError(f"a {type(value).__name__} is there: expected a text")


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


def given(values: Mapping[str, Any], *names: str) -> Values:
    """The values of columns that are called as in the payload."""
    return {name: values.get(name) for name in names}


def maker_of(record: Mapping[str, Any]) -> tuple[str | None, str]:
    """The maker's name and version, and its word: what stands before a check's name in a key."""
    maker = record_in(record, "maker")
    return _maker(maker.get("plugin"), maker.get("version"))


@functools.lru_cache(maxsize=256)
def _maker(plugin: str | None, version: str | None) -> tuple[str | None, str]:
    if not (plugin := text(plugin)):
        return None, ""
    _, dash, word = plugin.partition("-")
    return f"{plugin} {version}", word if dash else plugin


def listed(to: Writer, table: str, event: Happened, values: Values) -> None:
    """Write the row of a thing with an id."""
    values["short"] = short(event.subject)
    to.upsert(table, (event.subject,), values)


def of_run(to: Writer, event: Happened, **values: Any) -> None:
    """Write what the event changes in the row of its run, if it has one."""
    if event.run:
        to.update("runs", (event.run,), values)
