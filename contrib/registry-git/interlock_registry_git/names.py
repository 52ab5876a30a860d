"""Any text as one part of a ref's name, and back."""

from __future__ import annotations

import re
from urllib.parse import unquote

from interlock_hookspecs import InvalidInput

LONGEST = 200
"""Bytes of a part: refs are files, whose names end at 255, and git adds ``.lock``."""

_PLAIN = re.compile(rb"[^a-z0-9_-]")


def encode(text: str, *, what: str) -> str:
    """A part of a ref's name: lower-case letters, digits, ``_`` and ``-`` as they are.

    All else is percent-encoded, capitals too: on a file system that folds case, ``A`` and ``a``
    stay two refs.

    Raises:
        InvalidInput: the text is empty, too long, or no Unicode.

    >>> encode("Zürich/v1", what="name")
    '%5A%C3%BCrich%2Fv1'
    """
    if not text:
        raise InvalidInput(f"a {what} is empty")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{text!r} is no Unicode text, so no {what}") from None
    # Looked at before it is encoded, which takes long for what is long.
    coded = data[: LONGEST + 1]
    part = _PLAIN.sub(lambda found: b"%%%02X" % found[0][0], coded).decode()
    if len(part) > LONGEST:
        raise InvalidInput(
            f"the {what} {text[:20]!r}... has over {LONGEST} bytes as a git ref: shorten it"
        )
    return part


def decode(part: str) -> str:
    """The text that `encode` was given."""
    return unquote(part, errors="strict")
