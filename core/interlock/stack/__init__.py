"""The stack file: which plugin does each stage, with which settings, under which policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interlock.errors import StackError
from interlock.lazy import lazy_names
from interlock.stack.load import load_stack
from interlock.stack.model import Project, Stack
from interlock.stack.places import Origin
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

__getattr__ = lazy_names(__name__, _HOMES)
