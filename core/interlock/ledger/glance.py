"""A glance at a ledger on a server: a few rows, within a moment, or nothing.

For who waits at a prompt. Neither SQLAlchemy is imported, which takes longer than the question, nor
is a server waited for that is far, busy or away.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from interlock.ledger.values import SCHEMA

_SCHEME = re.compile(r"postgres(?:ql)?(?:\+\w+)?://")
Question = tuple[str, Mapping[str, str]]
"""A table, and what its rows have in columns."""


def glance(
    url: str, project: str, questions: list[Question], *, most: int, seconds: float
) -> list[list[dict[str, Any]]]:
    """The newest rows of some tables of a project.

    Args:
        url: of a ledger in PostgreSQL.
        project: whose rows.
        questions: which of them; names of tables and columns are core's own.
        most: how many of each.
        seconds: how long to wait. Whatever is not there by then is not given, and what asked is
            left behind: it ends with the process.

    Returns:
        The rows of each question, the newest first; nothing where there is no such ledger, or it
        cannot be read, for any reason.
    """
    found: list[list[dict[str, Any]]] = []

    def ask() -> None:
        # A thread of a prompt has nobody to tell that it failed.
        try:
            found.extend(_answers(url, project, questions, most))
        except Exception:  # noqa: BLE001  (the command itself says what is wrong)
            found.clear()

    if not _SCHEME.match(url):
        return found
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return [] if asking.is_alive() else found


def _answers(
    url: str, project: str, questions: list[Question], most: int
) -> Iterator[list[dict[str, Any]]]:
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(_SCHEME.sub("postgresql://", url, count=1), autocommit=True) as connection:
        for table, equal in questions:
            condition = " AND ".join(f'"{name}" = %s' for name in ("project", *equal))
            asked = f'SELECT * FROM {SCHEMA}."{table}" WHERE {condition} ORDER BY id DESC LIMIT %s'  # noqa: S608  (names of core's own)
            cursor = connection.cursor(row_factory=dict_row)
            values = (project, *equal.values(), most)
            yield cursor.execute(asked, values).fetchall()
