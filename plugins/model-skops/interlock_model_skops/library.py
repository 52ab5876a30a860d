"""The library behind the format, imported without a search through every module there is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_ONE_AT_A_TIME = threading.Lock()
_PYTEST, _HELPERS = "pytest", "sklearn.utils._testing"


def import_skops() -> None:
    """Import ``skops.io``, where that is not done yet.

    It lists scipy's functions as it is imported, each by the module that it comes from. They do not
    say that, so each of 230 is looked for in every module of the process, in the order of their
    import: 0.2 s once a run has loaded what it works with. For that moment they say it.

    It asks scikit-learn for its estimators, which takes a function for that from its helpers for
    tests. These import pytest where it is installed, 0.15 s for nothing: for that moment it is not.
    """
    with _ONE_AT_A_TIME:
        if "skops.io" not in sys.modules:
            with _saying_where_from(), _without_pytest():
                import skops.io  # noqa: F401  (only to have it)


@contextmanager
def _without_pytest() -> Iterator[None]:
    """Where pytest is not imported yet, it cannot be.

    Whoever wants scikit-learn's helpers later has them whole.
    """
    if _PYTEST in sys.modules:
        yield
        return
    before = sys.modules.get(_HELPERS)
    sys.modules[_PYTEST] = None  # type: ignore[assignment]  # how Python says that it is not there
    try:
        yield
    finally:
        del sys.modules[_PYTEST]
        if before is None and sys.modules.pop(_HELPERS, None) is not None:
            # A package has its modules as attributes too.
            delattr(sys.modules[_HELPERS.rpartition(".")[0]], _HELPERS.rpartition(".")[2])


@contextmanager
def _saying_where_from() -> Iterator[None]:
    """Scipy's functions name the module that defines each: the one that a search would find."""
    named: list[Any] = []
    try:
        for function, module in _homes():
            try:
                function.__module__ = module
            except (AttributeError, TypeError):
                break  # numpy's functions of an older version take no attributes
            named.append(function)
        yield
    finally:
        for function in named:
            del function.__module__


def _homes() -> list[tuple[Any, str]]:
    import numpy as np
    import scipy.special

    # By identity: some have two names.
    silent = {
        id(function): function
        for function in vars(scipy.special).values()
        if isinstance(function, np.ufunc) and getattr(function, "__module__", None) is None
    }
    homes: dict[int, str] = {}
    # A module is filed once its import is done: the one that defines a function comes first.
    for name, module in sys.modules.copy().items():
        if name.startswith("scipy.special") and isinstance(module, ModuleType):
            held = vars(module)
            for identity, function in silent.items():
                if held.get(function.__name__) is function:
                    homes.setdefault(identity, name)
    return [(silent[identity], name) for identity, name in homes.items()]
