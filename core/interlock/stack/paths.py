"""Relative paths, made absolute against the folder of the file that says them."""

from __future__ import annotations

import os
import re
from pathlib import Path

# At least two letters, so that a drive of Windows is no scheme.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_SQLITE = re.compile(r"(sqlite(?:\+[a-z0-9_]+)?:///)([^/?][^?]*)(\?.*)?", re.DOTALL)


def is_address(text: str) -> bool:
    """Whether a text begins with a scheme, as ``s3://bucket`` or ``inline:1,2``, and is no path."""
    return _SCHEME.match(text) is not None


def absolute(text: str, folder: Path) -> str:
    """A path as an absolute one; ``..`` is resolved, links are not.

    >>> absolute("../data/a.parquet", Path("/work/project"))
    '/work/data/a.parquet'
    """
    return os.path.normpath(folder / Path(text).expanduser())


def absolute_sqlite(text: str, folder: Path) -> str:
    """A database URL with SQLite's relative path made absolute; any other as it is.

    >>> absolute_sqlite("sqlite:///.interlock/ledger.db", Path("/work/project"))
    'sqlite:////work/project/.interlock/ledger.db'
    >>> absolute_sqlite("sqlite:///:memory:", Path("/work"))
    'sqlite:///:memory:'
    """
    found = _SQLITE.fullmatch(text)
    if found is None or found[2].startswith((":memory:", "file:")):
        return text
    return f"{found[1]}{absolute(found[2], folder)}{found[3] or ''}"
