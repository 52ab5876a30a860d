"""From what a person types to what it names: an id, a short id, the beginning of a digest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from interlock.errors import LedgerError
from interlock.ledger.tables import PROJECTIONS

if TYPE_CHECKING:
    from interlock.ledger.rows import Rows
    from interlock.ledger.values import Row

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
_LISTED = tuple(name for name, table in PROJECTIONS.items() if "short" in table.c)
# A digest names the most settled thing that carries it.
_DIGESTS = (
    ("versions", "model"),
    ("candidates", "model"),
    ("datasets", "id"),
    ("reviews", "dossier"),
    ("labels", "digest"),
)
_SHOWN = 5


def find(reads: Rows, text: str, *, project: str | None = None) -> tuple[str, Row]:
    """The table and the row that a text names.

    Args:
        reads: of the ledger.
        text: a whole id, a kind and the last eight digits of an id, or the beginning of a
            digest, at least four digits of it.
        project: where to look; None for everywhere.

    Raises:
        LedgerError: nothing has that name, or more than one thing has.
    """
    for column in ("id", "short"):
        found = [
            (table, row) for table in _LISTED for row in _equal(reads, table, column, text, project)
        ]
        if found:
            return _only(text, found)
    digits = _DIGEST.fullmatch(text)
    for table, column in _DIGESTS:
        if digits is None:
            break
        found = [
            (table, _newest(reads, table, one, column, digest))
            for one, digest in _beginning(reads, table, column, f"sha256:{digits[1]}", project)
        ]
        if found:
            # Several rows may be about one digest; the newest tells of it.
            return _only(text, found)
    raise LedgerError(
        f"nothing here is named {text!r}", hint="interlock runs lists what there is, by its ids"
    )


def _equal(reads: Rows, table: str, column: str, text: str, project: str | None) -> list[Row]:
    columns = PROJECTIONS[table].c
    statement = select(PROJECTIONS[table]).where(columns[column] == text).limit(_SHOWN)
    if project is not None:
        statement = statement.where(columns.project == project)
    return reads.rows(statement)


def _beginning(
    reads: Rows, table: str, column: str, text: str, project: str | None
) -> list[tuple[str, str]]:
    """The digests that begin so, each with its project."""
    columns = PROJECTIONS[table].c
    # The indexes begin with the project.
    return [
        (one, row[column])
        for one in (reads.projects() if project is None else [project])
        for row in reads.rows(
            select(columns[column])
            .distinct()
            .where(columns.project == one, columns[column] >= text, columns[column] < text + "g")
            .limit(_SHOWN)
        )
    ]


def _newest(reads: Rows, table: str, project: str, column: str, digest: str) -> Row:
    equal: dict[str, Any] = {column: digest}
    return reads.listing(table, project, limit=1, **equal)[0]


def _only(text: str, found: list[tuple[str, Row]]) -> tuple[str, Row]:
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{row['project']}/{row['id']}" for _, row in found[:_SHOWN])
    raise LedgerError(f"{text!r} may be any of {names}", hint="give the whole id")
