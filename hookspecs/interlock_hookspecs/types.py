"""One resolver for the contract's annotations.

Arrow types, workspaces and predictors are named under TYPE_CHECKING only, so that importing the
contract stays cheap; ``typing.get_type_hints``, attrs and cattrs would each raise NameError on
them. This gives them the names.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

import attrs


class _Names(dict[str, Any]):
    """Names that are looked up, and pyarrow that is imported, only when an annotation asks.

    Args:
        own: those of the module that the annotation is in, which come first.
    """

    def __init__(self, own: Mapping[str, Any]) -> None:
        self._own = own

    def __missing__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        if name == "pa":
            return importlib.import_module("pyarrow")
        if name == "logging":
            return importlib.import_module("logging")
        if name == "Path":
            return importlib.import_module("pathlib").Path
        contract = importlib.import_module("interlock_hookspecs")
        if name in contract.__all__:
            return getattr(contract, name)
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
    if not (isinstance(thing, type) and attrs.has(thing)):
        return _resolved(thing, thing.__module__)
    taken = {field.name for field in attrs.fields(thing) if field.init}
    hints: dict[str, Any] = {}
    for cls in reversed(thing.__mro__):
        # What a class inherits is named as the module of the class it inherits from has it.
        own = {name: typed for name, typed in inspect.get_annotations(cls).items() if name in taken}
        hints |= _resolved(type(cls.__name__, (), {"__annotations__": own}), cls.__module__)
    return hints


def _resolved(thing: type[Any] | Callable[..., Any], home: str) -> dict[str, Any]:
    module = sys.modules.get(home)
    names = vars(module) if module else None
    return typing.get_type_hints(thing, globalns=names, localns=_Names(names or {}))


def resolve(cls: type[Any]) -> type[Any]:
    """An attrs class whose fields' types are the types themselves, as cattrs needs them.

    >>> from interlock_hookspecs import Window
    >>> attrs.fields(resolve(Window)).rows.type.__name__
    'Table'
    """
    # attrs remembers a resolved class; asking twice costs a lookup.
    hints = type_hints(cls)
    for field in attrs.fields(cls):
        if field.name in hints:
            object.__setattr__(field, "type", hints[field.name])
    return cls
