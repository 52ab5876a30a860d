"""A plugin's settings: from what the stack file says to an instance of its class."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from interlock.errors import StackError, UnsetError
from interlock.stack.environment import environment_secrets, expand, unset
from interlock.stack.hosting import HOSTING
from interlock.stack.model import Stack
from interlock.stack.paths import absolute, absolute_sqlite
from interlock.stack.places import Origin
from interlock.stack.problems import nearest
from interlock.stack.structure import MisfitError, complaint, is_root, settable, structure
from interlock_hookspecs import Secret, reveal, type_hints

T = TypeVar("T")


def check_settings_names(stack: Stack, known: Collection[str]) -> list[str]:
    """Problems with settings of plugins that are not installed, one line each.

    Settings of an installed plugin that the stack does not select are inert: a swap is one word,
    and back.

    Args:
        stack: what was read.
        known: the names of the installed plugins, ``<role>-<word>``.
    """
    problems = []
    for plugin in stack.settings:
        if plugin not in known:
            origin = stack.origins[f"stack.{stack.name}.{plugin}"]
            problems.append(
                f"{origin}: [stack.{stack.name}] {plugin}: no plugin of this name is installed"
                f"{nearest(plugin, known)}"
            )
    return problems


def structure_settings(
    cls: type[T],
    raw: Mapping[str, Any],
    *,
    where: str,
    origins: Mapping[str, Origin],
    root: Path | None = None,
) -> T:
    """An instance of a plugin's class from the values that the stack file says.

    Strict: a text is no number, ``true`` is no 1; an integer may stand for a float. A `Secret` is
    parsed by the type that the field wraps, and refused where the field admits none. Settings
    whose type is `Path`, and SQLite URLs, are made absolute: what a file says against that file's
    folder, a default against the project's.

    Args:
        cls: decorated with ``@plugin``.
        raw: values by setting, as `Stack.settings` has them.
        where: the table's dotted name, for messages and for ``origins``.
        origins: `Stack.origins`.
        root: the project's folder; without one, paths stay as they are.

    Raises:
        UnsetError: the environment lacks variables of settings that fit otherwise.
        StackError: all misfits at once. No message shows a value that came from the environment.
    """
    reading = _Reading(cls, where, origins, root)
    for key, value in raw.items():
        reading.take(key, value)
    for key, field in settable(cls).items():
        if key not in raw:
            reading.take_default(key, field)
    return cast("T", reading.instance())


class _Reading:
    """One plugin's settings: the values that fit, and what is wrong with the others."""

    def __init__(
        self, cls: type[Any], where: str, origins: Mapping[str, Origin], root: Path | None
    ) -> None:
        self.cls = cls
        self.where = where
        self.origins = origins
        self.root = root
        self.fields = settable(cls)
        self.hints = type_hints(cls)
        self.said: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        self.problems: dict[str, None] = {}
        self.unset: set[str] = set()

    def take(self, key: str, value: Any) -> None:
        """Read a value that the stack file says."""
        self.said[key] = value
        field = self.fields.get(key)
        if field is None:
            names = ", ".join(self.fields)
            known = f"; settings: {names}" if names else "; it has no settings"
            self._add(key, f"unknown setting{nearest(key, [*self.fields, *HOSTING]) or known}")
            return
        missing = tuple(unset(value))
        self.unset.update(self._add(key, one.problem) for one in missing)
        if missing:
            return
        try:
            fitted = structure(self.hints.get(field.name, Any), value)
        except MisfitError as error:
            for path, message in error.found:
                self._add(".".join((key, *path)), message)
            return
        origin = self.origins.get(f"{self.where}.{key}")
        folder = origin.folder if origin and origin.folder else self.root
        self.values[key] = _resolved(fitted, folder)
        wrong = _validated(self.cls, field, self.values[key], value)
        if wrong:
            self._add(key, wrong)

    def take_default(self, key: str, field: Any) -> None:
        """Note that a required value is missing; make a default's relative path absolute."""
        if field.default is attrs.NOTHING:
            doc = field.metadata.get("doc", "")
            self._add(key, f"is missing{f': {doc}' if doc else ''}")
        elif isinstance(field.default, str | Path):
            self.values[key] = _resolved(field.default, self.root)

    def instance(self) -> Any:
        """The plugin.

        Raises:
            StackError: something is wrong.
        """
        made = None
        if not self.problems:
            try:
                made = self.cls(**self.values, **self._roots())
            except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin may raise anything)
                # One that exits must not end the command with an exit code of its choice.
                self._add("", complaint(error, self.said))
        if made is None:
            only_unset = self.problems.keys() == self.unset
            raise (UnsetError if only_unset else StackError)(tuple(self.problems))
        return made

    def _roots(self) -> dict[str, Path]:
        """The fields that are given the project's folder."""
        if self.root is None:
            return {}
        return {field.alias: self.root for field in attrs.fields(self.cls) if is_root(field)}

    def _add(self, key: str, message: str) -> str:
        words = f"[{self.where}] {key}".rstrip()
        path = f"{self.where}.{key}"
        # A setting that is not said has the line of its table, or of the stack.
        while path and path not in self.origins:
            path = path.rpartition(".")[0]
        place = f"{self.origins[path]}: {words}" if path else words
        problem = f"{place}: {message}"
        self.problems[problem] = None
        return problem


def recorded_settings(text: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Settings as the ledger keeps them, ``${NAME}`` expanded from today's environment.

    The keys that say how the plugin was hosted are no settings, and left out.

    Args:
        text: what `Stack.settings_text` gave.
        environ: where ``${NAME}`` is looked up.
    """
    import json

    settings: dict[str, Any] = expand(json.loads(text), environ)
    return {name: value for name, value in settings.items() if name not in HOSTING}


def recorded_secrets(text: str, environ: Mapping[str, str] = os.environ) -> tuple[Secret[str], ...]:
    """What `recorded_settings` takes from the environment."""
    import json

    return tuple(environment_secrets(json.loads(text), environ))


def _resolved(value: Any, folder: Path | None) -> Any:
    if folder is None:
        return value
    match value:
        case Path():
            return Path(absolute(str(value), folder))
        case str():
            return absolute_sqlite(value, folder)
        case Secret():
            inner = reveal(value)
            return Secret(absolute_sqlite(inner, folder)) if isinstance(inner, str) else value
    return value


def _validated(cls: type[Any], field: Any, value: Any, said: Any) -> str:
    """What a field's own validator says against a value; nothing where it has none."""
    if field.validator is None or field.converter is not None:
        return ""
    # attrs stops at the first validator that raises; asked one by one, they all speak. A
    # validator that reads other fields finds none here, and speaks when the instance is made.
    blank = object.__new__(cls)
    try:
        field.validator(blank, field, value)
    except AttributeError:
        return ""
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's validator may raise anything)
        return complaint(error, said)
    return ""
