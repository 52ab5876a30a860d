"""The tables of all files laid over each other: an included file below the one that includes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from interlock.stack.environment import BadReferenceError, expand
from interlock.stack.fields import NAME, MisfitError, elsewhere, is_number, read_value, stack_keys
from interlock.stack.hosting import HOSTING
from interlock.stack.places import Cell, Place, Source, inherited
from interlock.stack.problems import Problems, nearest, shown
from interlock.stack.rollout import RolloutTable
from interlock_hookspecs import ROLES

TABLES = ("project", "model", "task", "policy", "stack")
_TOP = ("include", *TABLES)
_DEEPEST = 32


@attrs.define
class StackTable:
    """One ``[stack.NAME]``, out of every file that says something of it.

    Attributes:
        place: where it is said last.
        keys: roles and other keys.
        settings: the settings of plugins, by the plugin's name.
        settings_places: where each plugin's table stands.
        rollout: what ``[stack.NAME.rollout]`` says.
    """

    place: Place
    keys: dict[str, Cell] = attrs.field(factory=dict)
    settings: dict[str, dict[str, Cell]] = attrs.field(factory=dict)
    settings_places: dict[str, Place] = attrs.field(factory=dict)
    rollout: RolloutTable = attrs.field(factory=RolloutTable)

    def over(self, base: StackTable) -> StackTable:
        """This table laid over the one that it extends."""
        keys = inherited(base.keys) | self.keys
        keys.pop("extends", None)
        if "extends" in self.keys:
            keys["extends"] = self.keys["extends"]
        settings = {plugin: inherited(cells) for plugin, cells in base.settings.items()}
        for plugin, cells in self.settings.items():
            settings[plugin] = settings.get(plugin, {}) | cells
        return StackTable(
            self.place,
            keys,
            settings,
            base.settings_places | self.settings_places,
            self.rollout.over(base.rollout),
        )


def check_top(sources: Sequence[Source], problems: Problems) -> None:
    """Unknown tables at the top of each file, and tables that are none."""
    for source in sources:
        for name, value in source.data.items():
            place = source.place(name)
            if name not in _TOP:
                known = nearest(name, _TOP) or f"; known: {', '.join(_TOP)}"
                problems.add(place, f"unknown table or key{known}")
            elif name in TABLES and not isinstance(value, dict):
                problems.add(place, f"expected a table [{name}], found {shown(value)}")
            elif name == "project" and source.included:
                problems.add(place, "stands in the project's own stack file only")


def table_cells(sources: Sequence[Source], name: str) -> dict[str, Cell]:
    """The keys of one table, the last file that says a key deciding it."""
    cells: dict[str, Cell] = {}
    for source in sources:
        table = source.data.get(name)
        if isinstance(table, dict):
            place = source.place(name)
            cells |= {key: Cell(value, place.child(key)) for key, value in table.items()}
    return cells


def stack_tables(sources: Sequence[Source], problems: Problems) -> dict[str, StackTable]:
    """Every stack by name, each key checked; the project's own stacks first."""
    tables: dict[str, StackTable] = {}
    for source in sources:
        said = source.data.get("stack")
        for name, table in said.items() if isinstance(said, dict) else ():
            place = source.place("stack", name)
            if not isinstance(table, dict):
                problems.add(place, f"expected a table [stack.{name}], found {shown(table)}")
                continue
            try:
                NAME.take(name)
            except MisfitError as error:
                problems.add(place, str(error))
                continue
            stack = tables.setdefault(name, StackTable(place))
            stack.place = place
            _read_stack(stack, table, place, problems)
    own = sources[-1].data.get("stack")
    first = [name for name in own if name in tables] if isinstance(own, dict) else []
    return {name: tables[name] for name in dict.fromkeys((*first, *tables))}


def _read_stack(
    stack: StackTable, table: Mapping[str, Any], place: Place, problems: Problems
) -> None:
    keys = stack_keys()
    for name, value in table.items():
        here = place.child(name)
        if name in keys:
            if read_value(keys[name], Cell(value, here), problems, secret=may_be_secret(name)):
                stack.keys[name] = Cell(value, here)
            elif value == [] and name in ROLES:
                # Said to be empty: a stack that drops a stage of the one it extends.
                stack.keys[name] = Cell(value, here)
        elif not isinstance(value, dict):
            problems.add(here, f"unknown key{elsewhere(name, keys)}")
        elif name == "rollout":
            stack.rollout.read(value, here, problems)
        elif not is_plugin_name(name):
            problems.add(
                here,
                "unknown table: settings stand under a plugin's name, for example "
                f"[stack.{place.path[-1]}.train-sklearn]{_nearest_table(name)}",
            )
        else:
            cells = stack.settings.setdefault(name, {})
            stack.settings_places[name] = here
            cells.update(setting_cells(value, here, problems))


def may_be_secret(name: str) -> bool:
    """Whether a key of a stack takes ``${NAME}``."""
    return name in ("ledger", "artifacts")


def is_plugin_name(name: str) -> bool:
    """Whether a table's name reads as a plugin's: a role, a dash, and a word."""
    role, dash, word = name.partition("-")
    return role in ROLES and bool(dash) and bool(word)


def _nearest_table(name: str) -> str:
    if near := nearest(name, ["rollout"]):
        return near
    role, dash, word = name.partition("-")
    if role in ROLES:
        return ""
    return nearest(role, ROLES).replace("'?", f"{dash}{word}'?")


def setting_cells(table: Mapping[str, Any], place: Place, problems: Problems) -> dict[str, Cell]:
    """The settings of one plugin, values checked only for what no plugin can take.

    The keys that say how it is hosted are core's, and checked for good.
    """
    cells = {}
    for name, value in table.items():
        here = place.child(name)
        if name in HOSTING:
            if read_value(HOSTING[name], Cell(value, here), problems) is not None:
                cells[name] = Cell(value, here)
            continue
        wrong = _impossible(value)
        try:
            expand(value, {})
        except BadReferenceError as error:
            wrong = str(error)
        if wrong:
            problems.add(here, wrong)
        else:
            cells[name] = Cell(value, here)
    return cells


def _impossible(value: Any, depth: int = 0) -> str:
    """Why the ledger could not record a value, or nothing."""
    if depth > _DEEPEST:
        return f"is nested more than {_DEEPEST} deep"
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
    elif isinstance(value, str | bool) or is_number(value):
        return ""
    else:
        words = "a finite number of 64 bits" if isinstance(value, int | float) else "a text"
        return f"expected {words}, found {shown(value)}"
    return next((wrong for wrong in (_impossible(item, depth + 1) for item in inner) if wrong), "")


def extended(tables: Mapping[str, StackTable], problems: Problems) -> dict[str, StackTable]:
    """Every stack laid over the ones that it extends."""
    done: dict[str, StackTable] = {}
    for name in tables:
        chain: list[str] = []
        at: str | None = name
        while at is not None and at not in done and at not in chain:
            chain.append(at)
            at = _base(tables, at, problems)
        if at in chain:
            circle = " -> ".join((*chain[chain.index(at) :], at))
            problems.add(tables[at].keys["extends"].place, f"goes in a circle: {circle}")
            at = None
        for link in reversed(chain):
            done[link] = tables[link].over(done[at]) if at in done else tables[link]
            at = link
    return {name: done[name] for name in tables if name in done}


def _base(tables: Mapping[str, StackTable], name: str, problems: Problems) -> str | None:
    cell = tables[name].keys.get("extends")
    if cell is None:
        return None
    if cell.value in tables:
        return str(cell.value)
    others = [other for other in tables if other != name]
    problems.add(
        cell.place,
        f"there is no stack {cell.value!r}{nearest(cell.value, others)}; "
        f"stacks: {', '.join(tables)}",
    )
    return None
