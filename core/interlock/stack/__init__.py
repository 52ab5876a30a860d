"""The stack file: which plugin does each stage, with which settings, under which policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from interlock.errors import StackError
from interlock.stack.load import load_stack
from interlock.stack.model import Project, Stack
from interlock.stack.problems import Origin
from interlock.stack.settings import check_settings_names, recorded_settings, structure_settings

if TYPE_CHECKING:
    from interlock.stack.schema import stack_schema
    from interlock.stack.show import Row, describe
    from interlock.stack.template import init_template

_HOMES = {
    "Row": "show",
    "describe": "show",
    "init_template": "template",
    "stack_schema": "schema",
}
"""What one command each asks for: no other waits for it."""

__all__ = [
    "Origin",
    "Project",
    "Row",
    "Stack",
    "StackError",
    "check_settings_names",
    "describe",
    "init_template",
    "load_stack",
    "recorded_settings",
    "stack_schema",
    "structure_settings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
