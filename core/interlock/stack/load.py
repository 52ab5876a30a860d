"""From a stack file to a `Stack`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interlock.stack.environment import (
    BadReferenceError,
    Unset,
    environment_secrets,
    expand,
    store_secrets,
    variables,
)
from interlock.stack.fields import MODEL, PROJECT, TASK, read_table, stack_keys
from interlock.stack.hosting import HOSTING, hosting_of
from interlock.stack.model import DEFAULT_ARTIFACTS, DEFAULT_LEDGER, Project, Stack
from interlock.stack.paths import absolute, absolute_sqlite, is_address
from interlock.stack.places import Cell, Origin, Place, Source
from interlock.stack.policy import read_policy
from interlock.stack.problems import Problems, nearest
from interlock.stack.rollout import read_rollout
from interlock.stack.sources import find_file, include_entries, read_sources
from interlock.stack.tables import StackTable, check_top, extended, stack_tables, table_cells
from interlock_hookspecs import ROLES, ModelFacts, Policy, Secret, Task, reveal

_DEFAULT = Origin(label="default", via="default")
_URL = re.compile(r"[a-z][a-z0-9+_.-]*://?.*", re.DOTALL)


def load_stack(
    start: Path,
    *,
    file: Path | None = None,
    name: str | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Stack:
    """Read the stack file of a project, and select one of its stacks.

    No plugin is looked for and none is imported: `check_settings_names` and `structure_settings`
    judge settings once plugins are known. A variable that is missing is no mistake yet: who uses
    what it stands in is told.

    Args:
        start: where to look for ``interlock.toml``, then in each folder above it.
        file: the stack file itself, instead.
        name: which stack; the first of the project's file where None.
        overrides: ``key=value`` texts that replace what the files say, never of the policy.
        environ: where ``${NAME}`` is looked up.

    Raises:
        StackError: there is no file, or there are mistakes in it: all of them at once.
    """
    path = find_file(start, file)
    main = read_sources(path)
    problems = Problems()
    sources = tuple(main.all())
    check_top(sources, problems)
    tables = {table: table_cells(sources, table) for table in ("model", "task")}
    stacks = extended(stack_tables(sources, problems), problems)
    chosen, table = _choose(stacks, name, main, problems)
    if overrides:
        from interlock.stack import overrides as command_line

        command_line.apply(overrides, start.absolute(), tables, table, problems)
    policy, policy_places = read_policy(main, problems)
    reading = _Reading(main, tables, environ, problems)
    project = reading.project()
    task = reading.task(policy)
    model = ModelFacts(**read_table(tables["model"], MODEL, main.place("model"), problems))
    parts = reading.stack(chosen, table, project)
    _require(policy, policy_places, parts["roles"], table, problems)
    problems.raise_any()
    included = include_entries(main)
    for key, place in policy_places.items():
        reading.origins[f"policy.{key}"] = place.origin()
    return Stack(
        name=chosen,
        root=path.parent,
        file=path,
        files=tuple(source.file for source in sources if source.file is not None),
        project=project,
        task=task,
        model=model,
        policy=policy,
        names=tuple(stacks),
        origins=reading.origins,
        includes=included,
        policies=tuple(
            entry
            for entry, source in zip(included, main.includes, strict=True)
            if any(part.data.get("policy") for part in source.all())
        ),
        **parts,
    )


def _choose(
    stacks: Mapping[str, StackTable], name: str | None, main: Source, problems: Problems
) -> tuple[str, StackTable]:
    place = main.place("stack")
    if not stacks:
        problems.add(place, "there is no stack: add a table [stack.dev]")
        return name or "", StackTable(place)
    if name is not None and name not in stacks:
        problems.add(
            place,
            f"there is no stack {name!r}{nearest(name, stacks)}; stacks: {', '.join(stacks)}",
        )
        return name, StackTable(place)
    chosen = name or next(iter(stacks))
    return chosen, stacks[chosen]


def _require(
    policy: Policy,
    places: Mapping[str, Place],
    roles: Mapping[str, tuple[str, ...]],
    table: StackTable,
    problems: Problems,
) -> None:
    """A plugin that the policy requires is named by the stack."""
    for role in ("validate", "govern"):
        for word in getattr(policy, role):
            if word not in roles.get(role, ()):
                cell = table.keys.get(role)
                problems.add(
                    cell.place if cell else table.place.child(role),
                    f"lacks {word!r}, which the policy requires ({places[role].file_and_line})",
                )


class _Reading:
    """The tables of one load, and where each value came from."""

    def __init__(
        self,
        main: Source,
        tables: Mapping[str, Mapping[str, Cell]],
        environ: Mapping[str, str],
        problems: Problems,
    ) -> None:
        self.main = main
        self.tables = tables
        self.environ = environ
        self.problems = problems
        self.origins: dict[str, Origin] = {}
        for name, cells in tables.items():
            self._note(name, cells)

    def _note(self, table: str, cells: Mapping[str, Cell]) -> None:
        for key, cell in cells.items():
            self.origins[f"{table}.{key}"] = cell.place.origin(variables(cell.value))

    def project(self) -> Project:
        """``[project]``, its module an absolute path."""
        cells = table_cells((self.main,), "project")
        place = self.main.place("project")
        self._note("project", cells)
        values = read_table(cells, PROJECT, place, self.problems)
        module = values.get("module")
        path = None
        if module is not None:
            path = Path(absolute(module, self.main.folder))
            if not path.is_file():
                self.problems.add(place.child("module"), f"{module!r}: there is no such file")
        return Project(name=values.get("name", ""), module=path)

    def task(self, policy: Policy) -> Task | None:
        """``[task]``, its dataset an absolute path where it is a path."""
        cells = self.tables["task"]
        place = self.main.place("task")
        if not cells and "task" not in self.main.data:
            return None
        before = len(self.problems)
        values = read_table(cells, TASK, place, self.problems)
        if values.get("split") == "time" and "time" not in cells:
            self.problems.add(
                cells["split"].place, 'split = "time" needs the time column: time = "..."'
            )
        if len(self.problems) > before:
            return None
        dataset = cells["dataset"]
        if not is_address(values["dataset"]):
            values["dataset"] = absolute(values["dataset"], dataset.place.source.folder)
        try:
            return Task(**values, min_group=policy.min_group)
        except (TypeError, ValueError) as error:
            self.problems.add(place, str(error))
            return None

    def stack(self, name: str, table: StackTable, project: Project) -> dict[str, Any]:
        """The selected stack's own part of a `Stack`."""
        keys = stack_keys()
        where = f"stack.{name}"
        self.origins[where] = table.place.origin()
        self._note(where, table.keys)
        roles = {}
        for role in ROLES:
            if role in table.keys:
                words = keys[role].kind.read(table.keys[role].value)
                if words:
                    roles[role] = words
        settings, written, hosting = {}, {}, {}
        for plugin, cells in table.settings.items():
            self.origins[f"{where}.{plugin}"] = table.settings_places[plugin].origin()
            self._note(f"{where}.{plugin}", cells)
            written[plugin] = {key: cell.value for key, cell in cells.items()}
            hosting[plugin] = hosting_of(cells)
            settings[plugin] = {
                key: expand(cell.value, self.environ)
                for key, cell in cells.items()
                if key not in HOSTING
            }
        endpoint, package = table.keys.get("endpoint"), table.keys.get("package")
        timeout, cache = table.keys.get("hook_timeout"), table.keys.get("artifacts_cache")
        self._note(f"{where}.rollout", table.rollout.keys)
        self._note(f"{where}.rollout.bounds", table.rollout.bounds)
        addresses = [table.keys[key].value for key in ("ledger", "artifacts") if key in table.keys]
        secrets = environment_secrets([*written.values(), *addresses], self.environ)
        artifacts = self._address(where, table, "artifacts", DEFAULT_ARTIFACTS, _artifacts)
        return {
            "roles": roles,
            "settings": settings,
            "written": written,
            "hosts": hosting,
            "hook_timeout": keys["hook_timeout"].kind.take(timeout.value) if timeout else None,
            "ledger": self._address(where, table, "ledger", DEFAULT_LEDGER, _ledger),
            "artifacts": artifacts,
            "artifacts_cache": keys["artifacts_cache"].kind.take(cache.value) if cache else None,
            "endpoint": endpoint.value if endpoint else project.name,
            "package": package.value if package else "",
            "rollout": read_rollout(table.rollout, roles, self.problems),
            "secrets": tuple(dict.fromkeys([*secrets, *store_secrets(artifacts, self.environ)])),
        }

    def _address(
        self,
        where: str,
        table: StackTable,
        key: str,
        default: str,
        read: Callable[[str, Path], str | None],
    ) -> str | Secret[str] | Unset:
        cell = table.keys.get(key)
        if cell is None:
            self.origins[f"{where}.{key}"] = _DEFAULT
            return read(default, self.main.folder) or default
        try:
            value = expand(cell.value, self.environ)
        except BadReferenceError as error:
            self.problems.add(cell.place, str(error))
            return default
        if isinstance(value, Unset):
            return value
        if not isinstance(value, str | Secret):
            return default
        text = str(reveal(value))
        found = read(text, cell.place.source.folder)
        if found is None:
            what = "the text from the environment" if isinstance(value, Secret) else repr(value)
            self.problems.add(
                cell.place, f"{what} is no database URL: write one as {DEFAULT_LEDGER}"
            )
            return default
        return Secret(found) if isinstance(value, Secret) else found


def _ledger(text: str, folder: Path) -> str | None:
    return absolute_sqlite(text, folder) if _URL.fullmatch(text) else None


def _artifacts(text: str, folder: Path) -> str | None:
    return text if is_address(text) else absolute(text, folder)
