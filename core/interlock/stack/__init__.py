"""The stack file: which plugin does each stage, with which settings, under which policy."""

from interlock.errors import StackError
from interlock.stack.load import load_stack
from interlock.stack.model import Project, Stack
from interlock.stack.problems import Origin
from interlock.stack.schema import stack_schema
from interlock.stack.settings import check_settings_names, recorded_settings, structure_settings
from interlock.stack.show import Row, describe
from interlock.stack.template import init_template

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
