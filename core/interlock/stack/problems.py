"""Mistakes in a stack file: gathered, so that all are shown at once, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from interlock.errors import StackError
from interlock.stack.places import Place

_LONGEST = 60
_INT64 = 2**63


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
