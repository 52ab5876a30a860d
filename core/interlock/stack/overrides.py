"""``--set key=value``: what a command says instead of the file, for this one time."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlock.stack.fields import elsewhere, read_value, stack_keys
from interlock.stack.places import Cell, Source
from interlock.stack.positions import key_path
from interlock.stack.problems import Problems, nearest
from interlock.stack.tables import StackTable, is_plugin_name, may_be_secret, setting_cells

_FORM = "write --set key=value, for example --set task.seed=1 or --set train-sklearn.estimator=..."


def apply(
    overrides: Sequence[str],
    folder: Path,
    tables: dict[str, dict[str, Cell]],
    stack: StackTable | None,
    problems: Problems,
) -> None:
    """Lay each override over the tables and the stack.

    Args:
        overrides: ``key=value`` each; the value is read as TOML, and is a text where it is none.
        folder: what relative paths in them are relative to.
        tables: ``model`` and ``task``, changed in place.
        stack: the selected stack, changed in place; None where there is none.
        problems: told what is wrong.
    """
    source = Source("--set", None, folder, typed=True)
    for override in overrides:
        text, equals, value = override.partition("=")
        try:
            path = key_path(text)
        except ValueError:
            path = ()
        if not equals or not path:
            # Without a key, what was typed may be a value: it is not repeated.
            problems.add(source.place("key"), f"is no assignment: {_FORM}")
            continue
        cell = Cell(_value(value), source.place(*path))
        if path[0] in tables and len(path) > 1:
            tables[path[0]][path[1]] = _nested(cell, tables[path[0]].get(path[1]), path[2:])
        elif path[0] in ("policy", "project", "include", "extends", "stack", *tables):
            problems.add(cell.place, _refusal(path))
        elif stack is not None:
            _set_in_stack(stack, path, cell, problems)


def _refusal(path: tuple[str, ...]) -> str:
    if path[0] == "policy":
        return (
            "the policy is never overridden: a run is judged by what the stack file says; "
            "change [policy] there"
        )
    if path[0] == "stack":
        return f"leave out 'stack.NAME': an override is for the selected stack; {_FORM}"
    if path[0] in ("model", "task"):
        return f"names a whole table; {_FORM}"
    return "is not overridden: change the stack file"


def _set_in_stack(stack: StackTable, path: tuple[str, ...], cell: Cell, problems: Problems) -> None:
    keys = stack_keys()
    name = path[0]
    if name in keys and len(path) == 1:
        read = read_value(keys[name], cell, problems, secret=may_be_secret(name))
        if read is not None:
            stack.keys[name] = cell
    elif is_plugin_name(name) and len(path) > 1:
        said = stack.settings.setdefault(name, {})
        new = _nested(cell, said.get(path[1]), path[2:])
        place = cell.place.source.place(name)
        stack.settings_places.setdefault(name, place)
        said |= setting_cells({path[1]: new.value}, place, problems)
    elif is_plugin_name(name):
        problems.add(cell.place, f"names a plugin and no setting; {_FORM}")
    else:
        near = nearest(name, [*keys, *stack.settings, "task", "model"])
        problems.add(cell.place, f"unknown key{near or elsewhere(name, keys)}")


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A text with line breaks could hold more than a value.
    return found["value"] if set(found) == {"value"} else text


def _nested(cell: Cell, old: Cell | None, rest: tuple[str, ...]) -> Cell:
    """The cell of a key with one value inside it replaced."""
    if not rest:
        return cell
    value: Any = dict(old.value) if old is not None and isinstance(old.value, dict) else {}
    inner = value
    for key in rest[:-1]:
        inner[key] = dict(inner[key]) if isinstance(inner.get(key), dict) else {}
        inner = inner[key]
    inner[rest[-1]] = cell.value
    return Cell(value, cell.place)
