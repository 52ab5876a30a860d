"""Names, aliases and numbers: written so that MLflow takes any of them, and read back."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from interlock_hookspecs import InvalidInput

LONGEST = {"name": 250, "alias": 250, "id": 500}
"""Characters as MLflow stores them. Its database has 256 for a name and 255 for an alias."""

_PLAIN_ALIAS = re.compile(r"(?!x--|latest$|v\d+$)[A-Za-z0-9_-]+", re.IGNORECASE)
_GREATEST = 2**31 - 1  # a version is a 32-bit integer in MLflow's database


def storable(text: str, what: str) -> str:
    """A name, alias or id as MLflow is given it.

    Raises:
        InvalidInput: it is empty, too long, or holds a NUL or half a surrogate pair.
    """
    if not text or "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidInput(f"the {what} {text[:40]!r} is empty or holds what no server stores")
    written = alias_text(text) if what == "alias" else name_text(text)
    if len(written) > LONGEST[what]:
        raise InvalidInput(
            f"the {what} has {len(written)} characters as MLflow writes it: "
            f"expected at most {LONGEST[what]}"
        )
    return written


def name_text(name: str) -> str:
    """A name or an id as MLflow may call it: ASCII, without ``/``, ``:``, quotes, or dots first.

    What most names are made of stays as it is; the rest becomes ``%`` and the bytes of UTF-8.

    >>> name_text("employment"), name_text("Zürich/2"), name_text("a b"), name_text(" ")
    ('employment', 'Z%C3%BCrich%2F2', 'a b', '%20')
    """
    inner = " " if name == name.strip() else ""
    text = quote(name, safe=inner, errors="surrogatepass")
    return f"%2E{text[1:]}" if text.startswith(".") else text


def name_of(text: str) -> str:
    """The name behind a `name_text`."""
    return unquote(text)


def alias_text(alias: str) -> str:
    """An alias as MLflow may call it: letters, digits, ``_`` and ``-``, and none it reserves.

    >>> alias_text("champion"), alias_text("Ä"), alias_text("latest")
    ('champion', 'x--c384', 'x--6c6174657374')
    """
    if _PLAIN_ALIAS.fullmatch(alias):
        return alias
    return f"x--{alias.encode('utf-8', 'surrogatepass').hex()}"


def alias_of(text: str) -> str:
    """The alias behind an `alias_text`.

    >>> alias_of("x--c384"), alias_of("champion"), alias_of("x--by-hand")
    ('Ä', 'champion', 'x--by-hand')
    """
    try:
        return bytes.fromhex(text[3:]).decode() if text.startswith("x--") else text
    except ValueError:  # somebody else's alias
        return text


def number_of(text: str) -> int | None:
    """A version's number from the text that names it, or None where it is not one of MLflow's.

    >>> number_of("3"), number_of("03"), number_of("three"), number_of("9" * 30)
    (3, None, None, None)
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_GREATEST))):
        return None
    number = int(text)
    return number if str(number) == text and 0 < number <= _GREATEST else None
