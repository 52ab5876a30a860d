"""Mistakes in a stack file: gathered, so that all are shown at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from interlock.errors import StackError

if TYPE_CHECKING:
    from interlock.stack.sources import Source

_LONGEST = 60
_INT64 = 2**63


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


class Problems:
    """Every mistake found so far.

    >>> problems = Problems()
    >>> problems.raise_any()
    """

    def __init__(self) -> None:
        # A dict keeps the order and drops what two readings of one key would say twice.
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, place: Place, message: str) -> None:
        """Remember a mistake at a place."""
        self._found.setdefault(f"{place}: {message}", (place.source.label, place.line or 0))

    def __len__(self) -> int:
        return len(self._found)

    def raise_any(self, *, hint: str = "") -> None:
        """Raise what was found, file by file in the order of lines.

        Raises:
            StackError: something was found.
        """
        if self._found:
            ordered = sorted(self._found, key=lambda text: self._found[text])
            raise StackError(tuple(ordered), hint=hint)


def dotted(path: tuple[str, ...]) -> str:
    """A key as a message names it: ``[task] target``."""
    *tables, key = path or ("",)
    key = key or '""'
    return f"[{'.'.join(tables)}] {key}" if tables else key


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where a known name is near, else nothing."""
    # Imported where a mistake was made: a right stack file does not pay for it.
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: Any) -> str:
    """A value of a TOML file as a message shows it, with what it is, and never long."""
    match value:
        case bool():
            return f"{str(value).lower()} (a switch)"
        case int():
            huge = not -_INT64 <= value < _INT64
            return "a number beyond 64 bits" if huge else f"{value} (a whole number)"
        case float():
            return f"{value} (a number)"
        case str():
            text = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
            return f"{text!r} (text)" if value.strip() else "an empty text"
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
    return f"a {type(value).__name__}"
