"""On which line each key of a TOML document stands.

tomllib gives values without places. This walks a document that tomllib has accepted already, so
it only has to tell keys from values, never to judge. Keys inside an inline table share the line
of the key that the table belongs to.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str, ...]

_STRING = r'"""(?:[^\\]|\\.)*?"""+|\'\'\'.*?\'\'\'+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ONE = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_PART = re.compile(_ONE)
_KEY = re.compile(rf"[ \t]*{_ONE}(?:[ \t]*\.[ \t]*{_ONE})*[ \t]*")
_VALUE_PART = re.compile(rf"{_STRING}|#[^\n]*|[\[\]{{}}\n]|[^\"'#\[\]{{}}\n]+", re.DOTALL)


def key_lines(text: str) -> dict[Path, int]:
    r"""The line, from 1, of every table and key of a valid document.

    >>> lines = key_lines('a = 1\n[b]\n"c.d" = [\n 2]\nx.y = 3\n')
    >>> lines[("a",)], lines[("b",)], lines[("b", "c.d")], lines[("b", "x", "y")]
    (1, 2, 3, 5)
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    at, line = 0, 1
    while True:
        blank = _BLANK.match(text, at)
        assert blank is not None  # noqa: S101  (it matches the empty text)
        line += text.count("\n", at, blank.end())
        at = blank.end()
        if at >= len(text):
            return lines
        header = text[at] == "["
        if header:
            at += 2 if text.startswith("[[", at) else 1
        key = _KEY.match(text, at)
        if key is None:
            return lines
        path = key_path(key[0])
        if header:
            table = path
        for length in range(1, len(path) + 1):
            lines.setdefault(path[:length] if header else table + path[:length], line)
        start, at = at, _end_of_value(text, key.end())
        line += text.count("\n", start, at)


def key_path(text: str) -> Path:
    """The parts of a dotted key as TOML reads it.

    Raises:
        ValueError: it is no key.

    >>> key_path('bounds."metrics.roc_auc"')
    ('bounds', 'metrics.roc_auc')
    """
    if _KEY.fullmatch(text) is None:
        msg = f"{text!r} is no key"
        raise ValueError(msg)
    return tuple(_unquoted(part) for part in _PART.findall(text))


def _unquoted(part: str) -> str:
    if part[0] == '"':
        return str(tomllib.loads(f"key = {part}")["key"])
    return part[1:-1] if part[0] == "'" else part


def _end_of_value(text: str, at: int) -> int:
    """Where the line that ends a value, or a table's header, ends."""
    depth = 0
    while at < len(text):
        part = _VALUE_PART.match(text, at)
        if part is None:
            return len(text)
        if part[0] in ("[", "{"):
            depth += 1
        elif part[0] in ("]", "}"):
            depth -= 1
        elif part[0] == "\n" and depth <= 0:
            return at
        at = part.end()
    return at
