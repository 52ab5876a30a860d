"""Names of a package that are imported when they are asked for: whoever needs none waits for none.

The contract has the same few lines of its own, for it imports nothing of the core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names live in modules of it.

    Args:
        package: its ``__name__``.
        homes: the module of each name, without the package's own.

    Returns:
        What gives a name's value, and keeps it in the package; it raises ``AttributeError`` for a
        name that is none of these, as Python does.

    >>> look_up = lazy_names("interlock.ledger", {"Entry": "entries"})
    >>> look_up("Entry").__name__
    'Entry'
    >>> look_up("Exit")
    Traceback (most recent call last):
    ...
    AttributeError: module 'interlock.ledger' has no attribute 'Exit'
    """

    def look_up(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import importlib

        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return look_up
