"""Text and numbers as a card shows them. Whatever comes in, it stays text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

NOTHING = "–"
"""Stands in a table for what there is not."""

# An underscore inside a word, as in roc_auc, marks nothing.
_SPECIAL = re.compile(r"([\\`*\[\]<>&|~#!$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_LINK = re.compile(r"(?i)(:)(?=//)|(?<=www)(\.)|(@)")
_BLOCK = re.compile(r"^(\s*)([-+=]|\d+(?=[.)](?:\s|$)))")
_BAR = re.compile(r"(?<!\\)\|")
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_ORDINARY = (1e-3, 1e4, 1e15)


def plain(text: object) -> str:
    r"""One line without characters that are not seen but act: controls, bidi overrides.

    >>> plain("a\n b\u202e")
    'a b\ufffd'
    """
    shown = "".join(
        " " if character.isspace() else "\ufffd" if _acts(character) else character
        for character in str(text)
    )
    return " ".join(shown.split())


def _acts(character: str) -> bool:
    # Joiners shape words in many scripts, and family emoji.
    return unicodedata.category(character) in _HIDDEN and character not in "\u200c\u200d"


def literal(text: object) -> str:
    r"""Text inside Markdown that is read as nothing but text: no emphasis, table, link or tag.

    >>> print(literal("*all* <b> | http://x"))
    \*all\* \<b\> \| http\://x
    >>> print(literal("1. not a list"))
    1\. not a list
    """
    escaped = _SPECIAL.sub(r"\\\1", plain(text))
    escaped = _LINK.sub(lambda match: "\\" + match[0], escaped)
    return _BLOCK.sub(_escape_block, escaped)


def _escape_block(match: re.Match[str]) -> str:
    space, start = match.groups()
    return f"{space}{start}\\" if start.isdigit() else f"{space}\\{start}"


def code(text: object) -> str:
    """Text as a code span of Markdown, whatever backticks it holds."""
    inner = plain(text)
    longest = max((len(run) for run in re.findall("`+", inner)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in inner else ""
    return f"{fence}{pad}{inner}{pad}{fence}" if inner else NOTHING


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already; a numeric column is right-aligned."""
    # A bar ends a cell even inside a code span.
    body = [tuple(_BAR.sub(r"\|", cell) for cell in row) for row in rows]
    rules = [
        "---:" if body and all(_is_numeric(row[index]) for row in body) else "---"
        for index in range(len(head))
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rules, *body))


def _is_numeric(cell: str) -> bool:
    return bool(re.fullmatch(r"[-\d.,e+]+|–", cell))


def number(value: float | None) -> str:
    """A number as people read it: three decimals, or four digits of the very large and small.

    >>> number(0.9049), number(17196), number(53241.2), number(0.00002), number(None)
    ('0.905', '17,196', '53,241', '2e-05', '–')
    """
    if value is None:
        return NOTHING
    least, most, vast = _ORDINARY
    if abs(value) >= vast:
        return f"{value:.4g}"
    if value == int(value) or abs(value) >= most:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) >= least else f"{value:.4g}"


def interval(low: float | None, high: float | None) -> str:
    """The two ends of an interval."""
    return NOTHING if low is None or high is None else f"{number(low)} to {number(high)}"


def short_digest(digest: str) -> str:
    """The first twelve digits, which a person compares."""
    return digest.removeprefix("sha256:")[:12]
