"""One version by its number, an alias, its digest or its id: one statement, through an index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from interlock_hookspecs import ModelVersion
from interlock_registry_sql.body import read_body
from interlock_registry_sql.database import Database
from interlock_registry_sql.names import as_number, is_storable
from interlock_registry_sql.schema import aliases, versions

_pointing = aliases.alias("pointing")
_here = (_pointing.c.name == versions.c.name) & (_pointing.c.number == versions.c.number)
_found = (
    select(
        *(versions.c[name] for name in ("id", "name", "number", "body", "at")), _pointing.c.alias
    )
    .outerjoin_from(versions, _pointing, _here)
    .where(versions.c.name == bindparam("name"), versions.c.deleted_at.is_(None))
)
_same = (aliases.c.name == versions.c.name) & (aliases.c.number == versions.c.number)

BY_NUMBER = _found.where(versions.c.number == bindparam("ref"))
BY_DIGEST = _found.where(versions.c.digest == bindparam("ref"))
BY_ID = _found.where(versions.c.id == bindparam("ref"))
BY_ALIAS = _found.where(
    _same, aliases.c.name == bindparam("name"), aliases.c.alias == bindparam("ref")
)
"""Each gives a row for every alias that points at the version, or one without an alias."""


def find(database: Database, name: str, ref: str) -> ModelVersion | None:
    """The version that a number, an ``@alias``, a digest or an id names; None where there is none.

    Nothing is stored under a text that no database stores.
    """
    if not (is_storable(name) and is_storable(ref)):
        return None
    number = as_number(ref)
    value: str | int = ref
    if ref.startswith("@"):
        query, value = BY_ALIAS, ref[1:]
    elif ref.startswith("sha256:"):
        query = BY_DIGEST
    elif number is None:
        query = BY_ID
    else:
        query, value = BY_NUMBER, number
    return record_of(database.look_up(query, {"name": name, "ref": value}))


def record_of(rows: Sequence[Any], *, existing: bool = False) -> ModelVersion | None:
    """The version that the rows of a lookup tell of; None where there are none."""
    if not rows:
        return None
    pointing = [alias for *_, alias in rows if alias is not None]
    return record(*rows[0][:-1], pointing=pointing, existing=existing)


def record(
    id: str,  # noqa: A002  (the contract's own word)
    name: str,
    number: int,
    body: str,
    at: str,
    *,
    pointing: Sequence[str],
    existing: bool = False,
) -> ModelVersion:
    """A version from the columns of its row and the aliases that point at it."""
    model, facts = read_body(body)
    return ModelVersion(
        id=id,
        name=name,
        number=str(number),
        model=model,
        facts=facts,
        aliases=tuple(sorted(pointing)),
        at=datetime.fromisoformat(at),
        existing=existing,
    )
