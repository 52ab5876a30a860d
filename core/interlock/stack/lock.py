"""The lock file: what the plugins of a stack were, to the version, with all that they need.

``interlock.lock`` lies beside the stack file and is committed with it. It holds names and versions:
no address, and no path of a machine. A stack that it has a table for is locked.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from interlock.errors import StackError

_FORMAT = 1
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEAD = f"""\
# What the stacks of this project are installed as. Made by `interlock stack lock`; commit it.
format = {_FORMAT}
"""


@attrs.frozen(kw_only=True)
class Pins:
    """What a stack is locked to.

    Attributes:
        plugins: by the plugin's name, its distribution and version: ``interlock-data-files 0.1.0``.
        distributions: the version of every distribution that they and the core need, by name.
        environments: of each plugin in an environment of its own, by its name, the version of every
            distribution that it and its worker need there.
    """

    plugins: Mapping[str, str]
    distributions: Mapping[str, str]
    environments: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)


def read_lock(path: Path) -> dict[str, Pins]:
    """The pins by stack; none where there is no file.

    Raises:
        StackError: the file is no lock, or of a newer format.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _no_lock(path) from error
    if data.get("format") != _FORMAT:
        problem = (
            f"{path.name}: its format is {data.get('format')!r}, this Interlock reads {_FORMAT}"
        )
        raise StackError((problem,), hint="interlock stack lock writes it anew")
    stacks = data.get("stack", {})
    try:
        return {
            name: Pins(
                plugins=_texts(table["plugins"]),
                distributions=_texts(table["distributions"]),
                environments={
                    plugin: _texts(versions)
                    for plugin, versions in table.get("environments", {}).items()
                },
            )
            for name, table in stacks.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise _no_lock(path) from error


def write_lock(path: Path, pins: Mapping[str, Pins]) -> None:
    """Write the pins of every stack: the same pins give the same bytes."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text("\n".join(_lines(pins)) + "\n", encoding="utf-8")
    draft.replace(path)


def _lines(pins: Mapping[str, Pins]) -> Iterator[str]:
    yield _HEAD.rstrip()
    for stack in sorted(pins):
        said = pins[stack]
        tables = {"plugins": said.plugins, "distributions": said.distributions}
        for plugin in sorted(said.environments):
            tables[f"environments.{_name(plugin)}"] = said.environments[plugin]
        for key, table in tables.items():
            yield ""
            yield f"[stack.{_name(stack)}.{key}]"
            yield from (f"{_name(name)} = {json.dumps(table[name])}" for name in sorted(table))


def _name(text: str) -> str:
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _texts(table: Any) -> dict[str, str]:
    if not all(isinstance(value, str) for value in table.values()):
        raise TypeError(table)
    return dict(table)


def _no_lock(path: Path) -> StackError:
    problem = f"{path.name}: this is no lock file"
    return StackError((problem,), hint="interlock stack lock writes it anew")
