"""Where a value of a stack stands: its file, its key there, and its line."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from interlock.stack.positions import key_lines


@attrs.frozen(kw_only=True)
class Origin:
    """Where a value of a stack comes from.

    Attributes:
        label: the file as a message names it; ``--set`` for the command line.
        file: the file itself; None for the command line, a default, or a zipped package.
        line: from 1; None where there is none.
        via: ``file``, ``include``, ``extends``, ``override`` or ``default``.
        folder: what a relative path in the value is relative to.
        variables: the names of the environment variables in the value.
    """

    label: str
    file: Path | None = None
    line: int | None = None
    via: str = "file"
    folder: Path | None = None
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.label}:{self.line}" if self.line else self.label


@attrs.define(eq=False)
class Source:
    """One file that was read, or the command line.

    Attributes:
        label: how a message names it.
        file: where it is; None for the command line and for a file in a zipped package.
        folder: what its relative paths are relative to.
        data: the document.
        text: the document as written.
        included: whether another file includes it.
        typed: whether it is the command line.
        includes: the files that it includes, in order.
    """

    label: str
    file: Path | None
    folder: Path
    data: dict[str, Any] = attrs.field(factory=dict, repr=False)
    text: str = attrs.field(default="", repr=False)
    included: bool = False
    typed: bool = False
    includes: tuple[Source, ...] = attrs.field(default=(), repr=False)

    @functools.cached_property
    def lines(self) -> dict[tuple[str, ...], int]:
        """The line of every key, found when a message or ``stack show`` asks."""
        return key_lines(self.text)

    def place(self, *path: str) -> Place:
        """A key of this file."""
        return Place(source=self, path=path)

    def all(self) -> Iterator[Source]:
        """What it includes, deepest first, then itself; a file that comes twice comes once."""
        seen: set[int] = set()
        yield from _unseen(self, seen)


def _unseen(source: Source, seen: set[int]) -> Iterator[Source]:
    for included in source.includes:
        yield from _unseen(included, seen)
    if id(source) not in seen:
        seen.add(id(source))
        yield source


@attrs.frozen(kw_only=True, eq=False)
class Place:
    """A key of a file, or of the command line.

    Attributes:
        source: the file.
        path: the tables and the key.
        inherited: whether another stack's ``extends`` brought it.
    """

    source: Source
    path: tuple[str, ...]
    inherited: bool = False

    def child(self, key: str) -> Place:
        """The place of a key in the table that stands here."""
        return attrs.evolve(self, path=(*self.path, key))

    @property
    def line(self) -> int | None:
        """The line of the key, or of the nearest table around it."""
        for length in range(len(self.path), 0, -1):
            found = self.source.lines.get(self.path[:length])
            if found is not None:
                return found
        return None

    @property
    def file_and_line(self) -> str:
        """``interlock.toml:12``."""
        return f"{self.source.label}:{self.line}" if self.line else self.source.label

    def origin(self, variables: tuple[str, ...] = ()) -> Origin:
        """The place as the stack keeps it."""
        via = "include" if self.source.included else "file"
        if self.source.typed:
            via = "override"
        elif self.inherited:
            via = "extends"
        return Origin(
            label=self.source.label,
            file=self.source.file,
            line=self.line,
            via=via,
            folder=self.source.folder,
            variables=variables,
        )

    def __str__(self) -> str:
        if self.source.typed:
            return f"{self.source.label} {'.'.join(self.path)}"
        return f"{self.file_and_line}: {dotted(self.path)}"


class Cell(NamedTuple):
    """A value and its place."""

    value: Any
    place: Place


def inherited(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """The keys of a table, as another stack's ``extends`` brings them."""
    return {
        name: Cell(cell.value, attrs.evolve(cell.place, inherited=True))
        for name, cell in cells.items()
    }


def dotted(path: tuple[str, ...]) -> str:
    """A key as a message names it: ``[task] target``."""
    *tables, key = path or ("",)
    key = key or '""'
    return f"[{'.'.join(tables)}] {key}" if tables else key
