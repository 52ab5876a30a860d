"""Versions: registered once, found by number, alias, digest or id, listed newest first."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from interlock_hookspecs import (
    Conflict,
    Facts,
    InvalidInput,
    Model,
    ModelVersion,
    NotFound,
    VersionPage,
)
from interlock_registry_sql.body import read_body, write_body
from interlock_registry_sql.names import as_number, is_storable, lock, lock_or_make, storable
from interlock_registry_sql.schema import aliases, names, versions

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROW = (
    versions.c.id,
    versions.c.name,
    versions.c.number,
    versions.c.body,
    versions.c.at,
)
_TAG_BYTES = 4


def register(
    connection: Connection,
    *,
    name: str,
    id: str,  # noqa: A002  (the contract's own word)
    model: Model,
    facts: Facts,
) -> ModelVersion:
    """The version that the id or the digest has already, else a new one with the next number."""
    storable(name, "name")
    storable(id, "id")
    number = lock_or_make(connection, name)
    known = _by_id(connection, name, id, model) or _first(
        connection, name, by_digest(name, model.digest)
    )
    if known is not None:
        return known
    at = datetime.now(UTC)
    row = {
        "id": id,
        "name": name,
        "number": number,
        "digest": model.digest,
        "body": write_body(model, facts),
        "at": at.isoformat(timespec="microseconds"),
    }
    try:
        connection.execute(insert(versions).values(row))
    except IntegrityError as error:
        # The name is locked: only another name's registration can have taken the id meanwhile.
        msg = f"{id} stands for a version of another name: register with a new id"
        raise Conflict(msg, expected=None, found=id) from error
    connection.execute(update(names).where(names.c.name == name).values(next=number + 1))
    return ModelVersion(id=id, name=name, number=str(number), model=model, at=at, facts=facts)


def find(connection: Connection, name: str, ref: str) -> ModelVersion | None:
    """The version that a number, an ``@alias``, a digest or an id names; None where there is none.

    Nothing is stored under a text that no database stores.
    """
    if not (is_storable(name) and is_storable(ref)):
        return None
    if ref.startswith("@"):
        return _first(connection, name, by_alias(name, ref[1:]), existing=False)
    if ref.startswith("sha256:"):
        return _first(connection, name, by_digest(name, ref), existing=False)
    number = as_number(ref)
    query = by_id(ref) if number is None else by_number(name, number)
    return _first(connection, name, query, existing=False)


def page(connection: Connection, name: str, cursor: str | None, limit: int) -> VersionPage:
    """Up to ``limit`` versions below the cursor's number, newest first.

    Raises:
        InvalidInput: the cursor is no page's of this name, or the limit under 1.
    """
    if limit < 1:
        msg = f"limit is {limit}: expected 1 or more"
        raise InvalidInput(msg)
    below = None if cursor is None else _below(name, cursor)
    if not is_storable(name):
        return VersionPage()
    rows = connection.execute(newest(name, below).limit(limit + 1)).all()
    items = _records(connection, name, rows[:limit])
    more = len(rows) > limit
    return VersionPage(items=items, cursor=_cursor(name, rows[limit - 1].number) if more else None)


def delete(connection: Connection, name: str, number: str) -> None:
    """Mark a version as gone. Its row stays, and with it its number and its id.

    Raises:
        NotFound: there is no such version.
        Conflict: an alias still points at it.
    """
    wanted = as_number(number)
    if wanted is None or not is_storable(name) or not lock(connection, name):
        raise _no_version(name, number)
    pointing = connection.scalars(
        select(aliases.c.alias)
        .where(aliases.c.name == name, aliases.c.number == wanted)
        .order_by(aliases.c.alias)
    ).all()
    if pointing:
        found = ", ".join(f"@{alias}" for alias in pointing)
        msg = f"{name} {number} is {found}: move the alias first"
        raise Conflict(msg, expected=None, found=found)
    gone = connection.execute(
        update(versions)
        .where(versions.c.name == name, versions.c.number == wanted)
        .where(versions.c.deleted_at.is_(None))
        .values(deleted_at=datetime.now(UTC).isoformat(timespec="microseconds"))
    )
    if not gone.rowcount:
        raise _no_version(name, number)


def by_number(name: str, number: int) -> Select[Any]:
    """The row of a number."""
    return _live().where(versions.c.name == name, versions.c.number == number)


def by_digest(name: str, digest: str) -> Select[Any]:
    """The row of a model."""
    return _live().where(versions.c.name == name, versions.c.digest == digest)


def by_id(id: str) -> Select[Any]:  # noqa: A002  (the contract's own word)
    """The row of a registration, under whatever name."""
    return _live().where(versions.c.id == id)


def by_alias(name: str, alias: str) -> Select[Any]:
    """The row that an alias points at."""
    same = (aliases.c.name == versions.c.name) & (aliases.c.number == versions.c.number)
    return _live().join(aliases, same).where(aliases.c.name == name, aliases.c.alias == alias)


def newest(name: str, below: int | None) -> Select[Any]:
    """The rows of a name under a number, newest first."""
    query = _live().where(versions.c.name == name).order_by(versions.c.number.desc())
    return query if below is None else query.where(versions.c.number < below)


def _live() -> Select[Any]:
    return select(*_ROW).where(versions.c.deleted_at.is_(None))


def _first(
    connection: Connection, name: str, query: Select[Any], *, existing: bool = True
) -> ModelVersion | None:
    row = connection.execute(query).first()
    if row is None or row.name != name:
        return None
    return _records(connection, name, [row], existing=existing)[0]


def _by_id(
    connection: Connection,
    name: str,
    id: str,  # noqa: A002  (the contract's own word)
    model: Model,
) -> ModelVersion | None:
    """The version that the id made, which must be this one.

    Raises:
        Conflict: the id made another, or one that was deleted.
    """
    query = select(*_ROW).add_columns(versions.c.digest, versions.c.deleted_at)
    row = connection.execute(query.where(versions.c.id == id)).first()
    if row is None:
        return None
    if (row.name, row.digest) != (name, model.digest):
        msg = f"{id} stands for {row.name} {row.number} already: register with a new id"
        raise Conflict(msg, expected=model.digest, found=row.digest)
    if row.deleted_at is not None:
        msg = f"{id} made {name} {row.number}, which was deleted: register with a new id"
        raise Conflict(msg, expected=model.digest, found=None)
    return _records(connection, name, [row], existing=True)[0]


def _records(
    connection: Connection, name: str, rows: Sequence[Row[Any]], *, existing: bool = False
) -> tuple[ModelVersion, ...]:
    if not rows:
        return ()
    numbers = [row.number for row in rows]
    pointing: dict[int, list[str]] = {}
    # A range, not a list: a page may be longer than the parameters that a database takes.
    for number, alias in connection.execute(
        select(aliases.c.number, aliases.c.alias).where(
            aliases.c.name == name, aliases.c.number.between(min(numbers), max(numbers))
        )
    ):
        pointing.setdefault(number, []).append(alias)
    return tuple(_record(row, pointing.get(row.number, []), existing) for row in rows)


def _record(row: Row[Any], pointing: list[str], existing: bool) -> ModelVersion:
    model, facts = read_body(row.body)
    return ModelVersion(
        id=row.id,
        name=row.name,
        number=str(row.number),
        model=model,
        facts=facts,
        aliases=tuple(sorted(pointing)),
        at=datetime.fromisoformat(row.at),
        existing=existing,
    )


def _no_version(name: str, number: str) -> NotFound:
    return NotFound(f"{name} has no version {number}")


def _cursor(name: str, number: int) -> str:
    """The number with a tag of it and the name, so that another listing's cursor is noticed."""
    content = f"{number}:{name}".encode("utf-8", "surrogatepass")
    return f"v1-{number}-{hashlib.blake2b(content, digest_size=_TAG_BYTES).hexdigest()}"


def _below(name: str, cursor: str) -> int:
    _, _, rest = cursor.partition("-")
    number = as_number(rest.partition("-")[0])
    if number is None or cursor != _cursor(name, number):
        msg = f"the cursor is not one of the versions of {name}: start again without one"
        raise InvalidInput(msg)
    return number
