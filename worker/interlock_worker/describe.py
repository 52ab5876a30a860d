"""What a plugin is, told to the process that will ask it: its form, its settings, its version."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any

import attrs

from interlock_hookspecs import CONTRACT_VERSION, PROJECT, contract_of, kinds_of
from interlock_worker.errors import WorkerFailed
from interlock_worker.kinds import fields_text

_MARK = f"{PROJECT}_impl"


def find(role: str, word: str) -> metadata.EntryPoint:
    """The entry point of a plugin that is installed here.

    Raises:
        WorkerFailed: there is none.
    """
    group = metadata.entry_points(group=f"{PROJECT}.{role}")
    for entry_point in group.select(name=word):
        return entry_point
    offered = ", ".join(sorted({entry.name for entry in group})) or "none"
    msg = f"no plugin {role}-{word} is installed there; for {role} there are: {offered}"
    raise WorkerFailed(msg)


def describe(cls: type[Any], entry_point: metadata.EntryPoint) -> dict[str, Any]:
    """A plugin's class as JSON values.

    Its form is told as it is, with whatever breaks the contract: who asked for it judges that.
    """
    brought = entry_point.dist
    return {
        "name": cls.__name__,
        "module": cls.__module__,
        "doc": inspect.getdoc(cls) or "",
        "target": entry_point.value,
        "contract": contract_of(cls),
        "kinds": kinds_of(cls),
        "measures": _measures(cls),
        "contract_there": CONTRACT_VERSION,
        "version": brought.version if brought else "0",
        "distribution": brought.name if brought else "unknown",
        "location": str(brought.locate_file("")) if brought else None,
        "direct_url": json.loads(brought.read_text("direct_url.json") or "{}") if brought else {},
        "fields": fields_text(cls) if attrs.has(cls) else [],
        "hooks": [_hook(name, function, mark) for name, function, mark in _implementations(cls)],
    }


def _measures(cls: type[Any]) -> dict[str, list[str]] | list[str] | None:
    """What it says it measures: read as it stands, whichever contract is installed here."""
    found = getattr(cls, f"_{PROJECT}_measures", None)
    if isinstance(found, Mapping):
        return {kind: list(names) for kind, names in found.items()}
    return None if found is None else list(found)


def _implementations(cls: type[Any]) -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    for name in dir(cls):
        value = inspect.getattr_static(cls, name, None)
        value = getattr(value, "__func__", value)
        mark = getattr(value, _MARK, None)
        if callable(value) and mark is not None:
            yield name, value, mark


def _hook(name: str, function: Callable[..., Any], mark: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {
        "name": name,
        "options": dict(mark),
        "generator": inspect.isgeneratorfunction(function),
        "parameters": [
            [parameter.name, int(parameter.kind), parameter.default is not parameter.empty]
            for parameter in parameters
            if parameter.name != "self"
        ],
    }
