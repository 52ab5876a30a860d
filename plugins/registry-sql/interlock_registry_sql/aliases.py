"""Aliases: moved from the version the caller saw to another, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from interlock_hookspecs import Conflict, NotFound
from interlock_registry_sql.lookups import BY_NUMBER
from interlock_registry_sql.names import as_number, lock, storable
from interlock_registry_sql.schema import aliases

if TYPE_CHECKING:
    from sqlalchemy import Connection


def move(
    connection: Connection, *, name: str, alias: str, expected: str | None, number: str | None
) -> None:
    """Compare and set, under the lock of the name.

    Raises:
        Conflict: the alias points elsewhere than expected.
        NotFound: there is no version of the new number.
    """
    storable(name, "name")
    storable(alias, "alias")
    known = lock(connection, name)
    here = (aliases.c.name == name) & (aliases.c.alias == alias)
    current = connection.scalar(select(aliases.c.number).where(here))
    found = None if current is None else str(current)
    if found != expected:
        msg = f"@{alias} of {name} is {_said(found)}, not {_said(expected)}: look, then move it"
        raise Conflict(msg, expected=expected, found=found)
    if number is None:
        connection.execute(delete(aliases).where(here))
        return
    target = as_number(number)
    if not known or target is None or not _is_there(connection, name, target):
        msg = f"{name} has no version {number} that @{alias} could point at"
        raise NotFound(msg)
    if found is None:
        connection.execute(insert(aliases).values(name=name, alias=alias, number=target))
    else:
        connection.execute(update(aliases).where(here).values(number=target))


def _is_there(connection: Connection, name: str, number: int) -> bool:
    return connection.execute(BY_NUMBER, {"name": name, "ref": number}).first() is not None


def _said(number: str | None) -> str:
    return "on no version" if number is None else f"on version {number}"
