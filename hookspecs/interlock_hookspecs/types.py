"""One resolver for the contract's annotations.

Arrow types, workspaces and predictors are named under TYPE_CHECKING only, so that importing the
contract stays cheap; ``typing.get_type_hints``, attrs and cattrs would each raise NameError on
them. This gives them the names.
"""

from __future__ import annotations

import importlib
import sys
import typing
from collections.abc import Callable
from typing import Any

import attrs

_HOMES = {
    "Workspace": "artifacts",
    "Task": "data",
    "Dataset": "data",
    "Model": "model",
    "Predictor": "model",
    "Signature": "model",
    "Instant": "monitor",
}


class _Names(dict[str, Any]):
    """Names that are looked up, and pyarrow that is imported, only when an annotation asks."""

    def __missing__(self, name: str) -> Any:
        if name == "pa":
            return importlib.import_module("pyarrow")
        if name == "logging":
            return importlib.import_module("logging")
        if name == "Path":
            return importlib.import_module("pathlib").Path
        if name in _HOMES:
            return getattr(importlib.import_module(f"interlock_hookspecs.{_HOMES[name]}"), name)
        raise KeyError(name)


def type_hints(thing: type[Any] | Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a record, of a plugin's settings, or of a hook.

    Fields of an attrs class that its constructor does not take are left out: they are the
    class's own, and may name what is imported for type checking only.

    Raises:
        NameError: an annotation names something that neither its module nor the contract has.

    >>> from interlock_hookspecs.train import fit_candidate
    >>> type_hints(fit_candidate)["return"].__name__
    'Candidate'
    """
    module = sys.modules.get(thing.__module__)
    names = vars(module) if module else None
    return typing.get_type_hints(_without_own(thing), globalns=names, localns=_Names())


def _without_own(thing: Any) -> Any:
    if not (isinstance(thing, type) and attrs.has(thing)):
        return thing
    annotations = {field.name: field.type for field in attrs.fields(thing) if field.init}
    return type(thing.__name__, (), {"__annotations__": annotations})


def resolve(cls: type[Any]) -> type[Any]:
    """An attrs class whose fields' types are the types themselves, as cattrs needs them.

    >>> from interlock_hookspecs.monitor import Window
    >>> attrs.fields(resolve(Window)).rows.type.__name__
    'Table'
    """
    # attrs remembers a resolved class; asking twice costs a lookup.
    hints = type_hints(cls)
    for field in attrs.fields(cls):
        if field.name in hints:
            object.__setattr__(field, "type", hints[field.name])
    return cls
